// The choices a view is made of, held in the address: whoever opens it sees the same, and back and forward go
// through views. What it says is only ever compared with what there is to choose, or shown as text.
"use strict";
srbench.query = (() => {
  const listeners = [];
  let held = new URLSearchParams(location.search);

  const get = (name) => held.get(name) ?? "";
  const all = (name) => held.getAll(name);

  /** Puts values into the address; empty ones, which are those a view has by itself, leave it.
      A `step` is one that back undoes; typing makes none. */
  function set(values, { step = true } = {}) {
    const next = new URLSearchParams(held);
    for (const [name, value] of Object.entries(values)) {
      next.delete(name);
      [value].flat().forEach((one) => one !== "" && next.append(name, one));
    }
    go(next, step);
  }
  /** Leaves nothing in the address but these values. */
  const only = (values) => go(new URLSearchParams(values), true);

  function go(next, step) {
    if (`${next}` === `${held}`) return;
    held = next;
    const query = `${next}` ? `?${next}` : "";
    try {
      history[step ? "pushState" : "replaceState"](null, "", location.pathname + query + location.hash);
    } catch {
      /* a browser may let a page from a disk change nothing, or no page change it this often */
    }
  }

  const onBack = (listener) => listeners.push(listener);
  addEventListener("popstate", () => {
    const now = new URLSearchParams(location.search);
    if (`${now}` === `${held}`) return; // a record was opened or closed
    held = now;
    listeners.forEach((listener) => listener());
  });
  return { get, all, set, only, onBack };
})();
