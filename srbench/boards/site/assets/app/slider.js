// Two pictures on top of each other with a line between them, which pointer, finger and keyboard move.
"use strict";
srbench.slider = (() => {
  const { el } = srbench;
  const { view, picture, keys, at } = srbench.panes;
  const NEAR = 24;
  const STEP = 2;
  let share = 50;

  /** Two pictures, the left one shown as far as the line. */
  function slider(shape, left, right) {
    const frame = view(
      `${left.name} left of the line, ${right.name} right of it; left and right move the line, with shift the picture`,
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
      "aria-label": `Share of ${left.name} shown`,
      oninput: () => set(Number(range.value)),
      onkeydown: (event) => ["+", "=", "-", "0"].includes(event.key) && keys(event),
    });
    const figure = el(
      "figure",
      { class: "slider" },
      frame,
      range,
      el("figcaption", {}, el("b", { text: left.name }), el("b", { text: right.name })),
    );
    function set(value) {
      share = Math.min(100, Math.max(0, value));
      figure.style.setProperty("--split", `${share}%`);
      range.value = share;
    }

    /** Moves the line: from anywhere in a picture that is not zoomed, by the line itself in one that is. */
    function press(event) {
      const box = frame.getBoundingClientRect();
      const far = Math.abs(event.clientX - box.left - (box.width * share) / 100) > NEAR;
      if (event.button || !event.isPrimary || (at.zoom > 1 && far)) return;
      event.stopPropagation();
      event.preventDefault();
      frame.focus({ preventScroll: true });
      const move = (e) => set((100 * (e.clientX - box.left)) / box.width);
      const stop = () => {
        frame.removeEventListener("pointermove", move);
        frame.removeEventListener("pointerup", stop);
        frame.removeEventListener("pointercancel", stop);
      };
      frame.setPointerCapture(event.pointerId);
      frame.addEventListener("pointermove", move);
      frame.addEventListener("pointerup", stop);
      frame.addEventListener("pointercancel", stop);
      move(event);
    }
    function type(event) {
      const moves = { ArrowLeft: share - STEP, ArrowRight: share + STEP, Home: 0, End: 100 };
      if (event.shiftKey || moves[event.key] === undefined) return;
      event.stopPropagation();
      event.preventDefault();
      set(moves[event.key]);
    }
    // Before the frame's own, which move the picture.
    frame.addEventListener("pointerdown", press, true);
    frame.addEventListener("keydown", type, true);
    set(share);
    return figure;
  }
  return { slider };
})();
