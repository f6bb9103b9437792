// What a part of the page lets a reader choose: boxes, the chosen values, and their names in the address.
"use strict";
srbench.choices = (() => {
  const { board, heading, select, query } = srbench;

  // The options of a kind are what the address calls them, their text, and the value; the first is chosen
  // unless `otherwise` names another one.
  const sets = () => board().datasets.map((d, i) => [d.title, d.title, i]);
  const KINDS = {
    set: { name: "set", label: "Data set", options: sets },
    allSets: { name: "set", label: "Data set", options: () => [["", "all", ""], ...sets()] },
    attack: {
      name: "attack",
      label: "Attack",
      options: () =>
        board().attacks.map((a, i) => [a.name, a.group === "clean" ? "none (clean)" : a.name, i]),
    },
    metric: {
      name: "metric",
      label: "Metric",
      options: () => board().metrics.map((m) => [m, heading(m), m]),
      otherwise: () => board().rank_by,
    },
  };
  /** A kind of one's own, with options as [value, text]. */
  const kind = (name, label, options, otherwise) => ({
    name,
    label,
    options: () => options().map(([value, text]) => [String(value), text, value]),
    otherwise,
  });

  /** Binds the keys of `choice` to boxes and to the address.
      `changed` is told which one changed; `forgets` are names that leave the address when it does. */
  function bind(prefix, kinds, choice, changed, forgets = () => []) {
    const id = (name) => (prefix ? `${prefix}-${name}` : name);
    const first = (kind) => kind.otherwise?.() ?? kind.options()[0][0];
    /** Takes what the address says, where that can be chosen. */
    function restore() {
      for (const kind of kinds()) {
        const options = kind.options();
        const named = (key) => options.find((option) => option[0] === key);
        choice[kind.name] = (named(query.get(id(kind.name))) ?? named(first(kind)) ?? options[0])[2];
      }
    }
    function choose(kind, key) {
      choice[kind.name] = kind.options().find((option) => option[0] === key)[2];
      const left = Object.fromEntries(forgets(kind.name).map((name) => [name, ""]));
      query.set({ [id(kind.name)]: key === first(kind) ? "" : key, ...left });
      changed(kind.name);
    }
    const boxes = () =>
      kinds().map((kind) => {
        const options = kind.options();
        const chosen = options.find((option) => option[2] === choice[kind.name]);
        return select(kind.label, id(kind.name), options, chosen[0], (key) => choose(kind, key));
      });
    return { restore, boxes };
  }
  return { KINDS, kind, bind };
})();
