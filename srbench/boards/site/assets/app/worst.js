// The images that are hardest for all models: the mean over the models, and the worst of them.
"use strict";
srbench.worst = (() => {
  const { data, el, plainTable, board, state, choices, better, heading, titled, later } = srbench;
  const { column, images, text, link, put } = srbench.perImage;
  const FIRST = 12;
  const choice = { set: 0, attack: 0, metric: "" };
  const KINDS = [choices.KINDS.set, choices.KINDS.attack, choices.KINDS.metric];
  const bound = choices.bind(
    "worst",
    () => KINDS,
    choice,
    () => fill(),
  );
  const body = document.getElementById("worst-body");

  /** Every image with the mean over the models that have it and the worst of them, worst first. */
  function ranked(found, name) {
    return found
      .map(({ image, at, values }) => {
        const measured = [...values].filter(([, value]) => value !== null);
        if (!measured.length) return null;
        const mean = measured.reduce((sum, [, value]) => sum + value, 0) / measured.length;
        const worst = measured.reduce((a, b) => (better(name, a[1], b[1]) ? b : a));
        return { image, at, mean, worst, models: measured.length };
      })
      .filter(Boolean)
      .sort((a, b) => (better(name, a.mean, b.mean) ? 1 : Number(a.mean === b.mean) - 1));
  }

  function row(found, place, models) {
    const { image, at, mean, worst } = found;
    const seen = data.explorer.some(
      (e) => e.board === state.board && e.dataset === choice.set && e.image === image,
    );
    const open = () => srbench.explorer.open(choice.set, image, choice.attack);
    return el(
      "tr",
      {},
      el("th", { scope: "row", text: image }),
      el("td", {
        text:
          text(choice.metric, mean) + (found.models < models ? ` (${found.models} of ${models} models)` : ""),
      }),
      el("td", { class: "words", text: titled(board().rows[worst[0]]) }),
      el("td", {}, link(choice.metric, worst[1], worst[0], place, at)),
      el(
        "td",
        {},
        seen
          ? el("button", {
              type: "button",
              "aria-label": `Pictures of ${image}`,
              text: "Pictures",
              onclick: open,
            })
          : null,
      ),
    );
  }

  async function content(place) {
    const list = ranked(await images(place, choice.metric), choice.metric);
    if (!list.length) return [el("p", { text: "This metric was not measured there." })];
    const models = Math.max(...list.map((found) => found.models));
    const heads = [
      "Image",
      `${heading(choice.metric)} mean of ${models} models`,
      "Worst model",
      heading(choice.metric),
      "",
    ];
    const table = (found) =>
      el(
        "div",
        { class: "scroll" },
        plainTable(
          heads,
          found.map((f) => row(f, place, models)),
        ),
      );
    const left = list.slice(FIRST);
    const more = left.length
      ? el("details", {}, el("summary", { text: `${left.length} more images` }), table(left))
      : null;
    return [table(list.slice(0, FIRST)), more];
  }

  function fill() {
    const place = column(choice);
    if (place < 0)
      put(body, Promise.resolve([el("p", { text: "This set was not measured under this attack." })]));
    else later(body, () => put(body, content(place)));
  }

  function draw() {
    bound.restore();
    document.getElementById("worst-controls").replaceChildren(...bound.boxes());
    fill();
  }
  return { draw };
})();
