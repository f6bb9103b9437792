// Pictures side by side that zoom and move in step.
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
    if (shown) shown.textContent = `${Number(at.zoom.toFixed(1))}×`;
  }
  function zoom(direction) {
    at.zoom =
      (direction > 0 ? STEPS.find((s) => s > at.zoom) : STEPS.findLast((s) => s < at.zoom)) ?? at.zoom;
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

  const fingers = new Map();
  let start = null;
  /** Where the picture and the fingers are as one comes or goes. */
  function grip() {
    const [a, b] = [...fingers.values()];
    start = { ...at, a, apart: b ? Math.hypot(a.x - b.x, a.y - b.y) : 0 };
  }
  /** One finger or the pointer moves a picture that is zoomed, two fingers zoom it. */
  function press(event) {
    if (event.button) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    grip();
    if (at.zoom > 1) event.preventDefault();
  }
  function move(event) {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const [a, b] = [...fingers.values()];
    if (b)
      at.zoom = Math.min(
        STEPS.at(-1),
        Math.max(1, (start.zoom * Math.hypot(a.x - b.x, a.y - b.y)) / (start.apart || 1)),
      );
    else {
      const box = event.currentTarget.getBoundingClientRect();
      at.x = start.x - (a.x - start.a.x) / box.width / at.zoom;
      at.y = start.y - (a.y - start.a.y) / box.height / at.zoom;
    }
    apply();
  }
  function lift(event) {
    if (fingers.delete(event.pointerId)) grip();
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
        onpointerdown: press,
        onpointermove: move,
        onpointerup: lift,
        onpointercancel: lift,
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

  function mount(element) {
    root = element;
    apply();
  }
  return { view, picture, buttons, mount, keys, at };
})();
