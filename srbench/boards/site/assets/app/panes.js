// Pictures side by side that zoom and move in step, and two on top of each other with a slider.
"use strict";
srbench.panes = (() => {
  const { el } = srbench;
  const STEPS = [1, 1.5, 2, 3, 4, 6, 8];
  const at = { zoom: 1, x: 0.5, y: 0.5 };
  let root = null;

  /** Every picture below the root takes its place from three CSS variables, so none can fall out of step. */
  function apply() {
    const half = 0.5 / at.zoom;
    at.x = Math.min(1 - half, Math.max(half, at.x));
    at.y = Math.min(1 - half, Math.max(half, at.y));
    root.style.setProperty("--zoom", at.zoom);
    root.style.setProperty("--x", `${(0.5 - at.x) * 100 * at.zoom}%`);
    root.style.setProperty("--y", `${(0.5 - at.y) * 100 * at.zoom}%`);
    root.classList.toggle("zoomed", at.zoom > 1);
    const shown = document.getElementById("zoom-level");
    if (shown) shown.textContent = `${at.zoom}×`;
  }
  function zoom(direction) {
    const next = STEPS.indexOf(at.zoom) + direction;
    if (STEPS[next] !== undefined) at.zoom = STEPS[next];
    apply();
  }
  function reset() {
    Object.assign(at, { zoom: 1, x: 0.5, y: 0.5 });
    apply();
  }

  function keys(event) {
    const step = 0.1 / at.zoom;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === "+" || event.key === "=") zoom(1);
    else if (event.key === "-") zoom(-1);
    else if (event.key === "0") reset();
    else if (moves[event.key] && at.zoom > 1) {
      at.x += moves[event.key][0];
      at.y += moves[event.key][1];
      apply();
    } else return;
    event.preventDefault();
  }

  function drag(event) {
    if (at.zoom === 1 || event.button) return;
    const view = event.currentTarget;
    const box = view.getBoundingClientRect();
    const start = { x: at.x, y: at.y, left: event.clientX, top: event.clientY };
    const move = (e) => {
      at.x = start.x - (e.clientX - start.left) / box.width / at.zoom;
      at.y = start.y - (e.clientY - start.top) / box.height / at.zoom;
      apply();
    };
    const stop = () => {
      view.removeEventListener("pointermove", move);
    };
    view.setPointerCapture(event.pointerId);
    view.addEventListener("pointermove", move);
    view.addEventListener("pointerup", stop, { once: true });
    view.addEventListener("pointercancel", stop, { once: true });
    event.preventDefault();
  }

  /** A picture in a frame: `pictures` lie on top of each other. */
  const view = (label, shape, ...pictures) =>
    el(
      "div",
      {
        class: "view",
        tabindex: 0,
        role: "group",
        "aria-label": `${label}; plus and minus zoom, arrows move`,
        style: { "aspect-ratio": shape },
        onkeydown: keys,
        onpointerdown: drag,
        ondblclick: () => zoom(1),
      },
      pictures,
    );
  const picture = (file, alt, more = "") =>
    el("img", {
      src: `images/${file}`,
      alt,
      class: more,
      draggable: "false",
      loading: "lazy",
      decoding: "async",
    });

  const buttons = () =>
    el(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      el("button", { type: "button", "aria-label": "Zoom out", text: "−", onclick: () => zoom(-1) }),
      el("output", { id: "zoom-level", text: "1×" }),
      el("button", { type: "button", "aria-label": "Zoom in", text: "+", onclick: () => zoom(1) }),
      el("button", { type: "button", text: "Whole crop", onclick: reset }),
    );

  /** Two pictures, the left one shown as far as the slider says. */
  function slider(shape, left, right) {
    const frame = view(
      `${left.name} left of the line, ${right.name} right of it`,
      shape,
      picture(right.file, right.name, right.small ? "small" : ""),
      // The line stands still in the frame while the pictures zoom: a layer is cut, not the picture.
      el("div", { class: "layer top-layer" }, picture(left.file, left.name, left.small ? "small" : "")),
      el("span", { class: "split", "aria-hidden": true }),
    );
    const range = el("input", {
      type: "range",
      id: "split",
      min: 0,
      max: 100,
      value: 50,
      "aria-label": `Share of ${left.name} shown`,
    });
    const set = () => figure.style.setProperty("--split", `${range.value}%`);
    range.addEventListener("input", set);
    const figure = el(
      "figure",
      { class: "slider" },
      frame,
      range,
      el("figcaption", {}, el("b", { text: left.name }), el("b", { text: right.name })),
    );
    set();
    return figure;
  }

  function mount(element) {
    root = element;
    apply();
  }
  return { view, picture, buttons, slider, mount, at };
})();
