// Quality and cost: which metric, attack, data set and cost, the drawing, and the same as a table.
"use strict";
srbench.cost = (() => {
  const { el, plainTable, board, choices, heading, number, address, DASH } = srbench;
  const { COSTS, known, points } = srbench.costData;
  const body = document.getElementById("cost-body");
  const choice = { cost: "", set: "", attack: 0, metric: "" };
  const KINDS = [
    choices.kind("cost", "Over", () => known().map((name) => [name, COSTS[name].text])),
    choices.KINDS.allSets,
    choices.KINDS.attack,
    choices.KINDS.metric,
  ];
  const bound = choices.bind(
    "cost",
    () => KINDS,
    choice,
    () => fill(),
  );
  const SHEET = 720;
  let drawn = 0;
  let resized = () => {};

  function table(found, attack) {
    const cell = (point, quality) =>
      el(
        "td",
        {},
        !quality
          ? DASH
          : quality.column === null
            ? number(choice.metric, quality.value)
            : el("a", {
                href: address(point.row, quality.column, choice.metric),
                text: number(choice.metric, quality.value),
              }),
      );
    const attacked = board().attacks[choice.attack].group !== "clean";
    const rows = found.map((point) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: point.name }),
        el("td", { text: COSTS[choice.cost].format(point.x) }),
        cell(point, point.clean),
        attacked ? cell(point, point.attacked) : null,
      ),
    );
    const heads = ["Model", COSTS[choice.cost].axis, `${heading(choice.metric)} clean`];
    return el(
      "details",
      {},
      el("summary", { text: "The same as a table" }),
      el("div", { class: "scroll" }, plainTable(attacked ? [...heads, `under ${attack}`] : heads, rows)),
    );
  }

  function fill() {
    if (!choice.cost) return;
    const attack = board().attacks[choice.attack].name;
    const { drawn: found, left } = points(choice);
    const stage = el("div", { class: "drawing" });
    const said = el("p", { class: "small said", "aria-live": "polite" });
    const say = (text) => {
      said.textContent = text;
    };
    const key = found.some((p) => p.attacked)
      ? el(
          "p",
          { class: "small" },
          el("span", { class: "dot clean" }),
          " clean  ",
          el("span", { class: "dot attacked" }),
          ` under ${attack}`,
        )
      : null;
    const why = (p) =>
      p.x === 0
        ? "no cost, which a logarithm cannot show"
        : p.x > 0
          ? "no mean over every image"
          : "cost unknown";
    const missing = left.length
      ? el("p", {
          class: "small",
          text: `Not drawn: ${left.map((p) => `${p.name} (${why(p)})`).join(", ")}.`,
        })
      : null;
    const time =
      choice.cost === "seconds"
        ? el("p", { class: "small", text: "Time is as recorded: compare only rows of one device." })
        : null;
    resized = () => {};
    if (found.length < 2) {
      body.replaceChildren(
        ...[el("p", { text: "Fewer than two models have this cost and this metric." }), missing].filter(
          Boolean,
        ),
      );
      return;
    }
    body.replaceChildren(...[key, stage, said, time, missing, table(found, attack)].filter(Boolean));
    const redraw = (width = stage.clientWidth) => {
      drawn = width;
      const room = { width, height: drawn < 500 ? 340 : 430 };
      const { drawing, dodged, unnamed } = srbench.costChart.draw(found, choice, attack, room, say);
      stage.replaceChildren(drawing);
      say(
        [
          dodged ? "Models of one cost stand side by side." : "",
          unnamed ? `Names without room: ${unnamed}. A point says its own when it is touched or focused.` : "",
        ]
          .filter(Boolean)
          .join(" "),
      );
    };
    redraw();
    sizes.disconnect();
    sizes.observe(stage);
    resized = redraw;
  }
  const sizes = new ResizeObserver(([entry]) => {
    if (entry.target.clientWidth && entry.target.clientWidth !== drawn) resized();
  });

  // On paper names keep their size.
  addEventListener("beforeprint", () => resized(SHEET));
  addEventListener("afterprint", () => resized());

  function draw() {
    const some = known().length > 0;
    document.getElementById("cost-controls").hidden = !some;
    if (!some) {
      body.replaceChildren(el("p", { text: "Fewer than two models have a known cost." }));
      choice.cost = "";
      return;
    }
    bound.restore();
    document.getElementById("cost-controls").replaceChildren(...bound.boxes());
    fill();
  }
  return { draw };
})();
