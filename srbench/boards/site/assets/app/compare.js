// Two rows, image by image: the difference, where one is better and where the other is.
"use strict";
srbench.compare = (() => {
  const { data, el, plainTable, board, choices, better, metric, heading, titled, later } = srbench;
  const { column, images, text, link, put } = srbench.perImage;
  const choice = { left: 0, right: 1, set: 0, attack: 0, metric: "" };
  const rows = () => board().rows.map((row, i) => [row.name, titled(row), i]);
  const KINDS = [
    { name: "left", label: "Model", options: rows },
    { name: "right", label: "minus", options: rows, otherwise: () => board().rows[1]?.name },
    choices.KINDS.set,
    choices.KINDS.attack,
    choices.KINDS.metric,
  ];
  const bound = choices.bind(
    "compare",
    () => KINDS,
    choice,
    () => fill(),
  );
  const body = document.getElementById("compare-body");
  const called = (side) => titled(board().rows[choice[side]]);
  const signed = (value) =>
    `${value > 0 ? "+" : value < 0 ? "−" : ""}${text(choice.metric, Math.abs(value))}`;

  /** The command that says how sure a difference is, in a shell's quotes where it needs them. */
  function command() {
    const b = board();
    const attack = b.attacks[choice.attack];
    const words = ["srbench", "compare", b.rows[choice.left].name, b.rows[choice.right].name];
    words.push("--metrics", choice.metric, "--datasets", b.datasets[choice.set].name);
    if (attack.group !== "clean") words.push("--attacks", attack.name);
    if (data.boards.length > 1) words.push("--protocol", b.protocol);
    if (data.boards.some((other) => other.scale !== b.scale)) words.push("--scale", String(b.scale));
    return words.map((w) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", `'"'"'`)}'`)).join(" ");
  }

  /** The board's own means, where they are over these images; single images have fewer digits. */
  function meanOf(both, place) {
    const [left, right] = ["left", "right"].map((side) => board().means[choice.metric][choice[side]][place]);
    return left[3] === both.length && right[3] === both.length
      ? left[0] - right[0]
      : both.reduce((sum, found) => sum + found.difference, 0) / both.length;
  }

  async function content(place) {
    const name = choice.metric;
    const both = (await images(place, name))
      .map(({ image, at, values }) => ({
        image,
        at,
        left: values.get(choice.left) ?? null,
        right: values.get(choice.right) ?? null,
      }))
      .filter((found) => found.left !== null && found.right !== null)
      .map((found) => ({ ...found, difference: found.left - found.right }));
    if (!both.length) return [el("p", { text: "The two have no image in common there." })];
    // What is best for the first model stands first.
    both.sort((a, b) => (metric(name).higher ? b.difference - a.difference : a.difference - b.difference));
    const mean = meanOf(both, place);
    const wins = both.filter((f) => better(name, f.left, f.right)).length;
    const losses = both.filter((f) => better(name, f.right, f.left)).length;
    const largest = Math.max(...both.map((f) => Math.abs(f.difference))) || 1;
    const bar = (difference) =>
      el(
        "span",
        { class: "difference", "aria-hidden": true },
        el("i", {
          class: difference > 0 ? "more" : "less",
          style: { width: `${(50 * Math.abs(difference)) / largest}%` },
        }),
      );
    const lines = both.map((f) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: f.image }),
        el("td", { class: "strong" }, signed(f.difference)),
        el("td", {}, bar(f.difference)),
        el("td", {}, link(name, f.left, choice.left, place, f.at)),
        el("td", {}, link(name, f.right, choice.right, place, f.at)),
      ),
    );
    const equal = both.length - wins - losses;
    return [
      el("p", {
        id: "compare-sum",
        text: `${called("left")} minus ${called("right")}, ${heading(name)}: mean ${signed(mean)} over ${both.length} image${both.length === 1 ? "" : "s"}; better on ${wins}, worse on ${losses}${equal ? `, equal on ${equal}` : ""}.`,
      }),
      el("p", { class: "small" }, "How sure that is, by photographs: ", el("code", { text: command() })),
      el(
        "div",
        { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "Difference of every image" },
        plainTable(["Image", "Difference", "", called("left"), called("right")], lines),
      ),
    ];
  }

  function fill() {
    const place = column(choice);
    const say = (words) => put(body, Promise.resolve([el("p", { text: words })]));
    if (place < 0) say("This set was not measured under this attack.");
    else if (choice.left === choice.right) say("Choose two models that differ.");
    else later(body, () => put(body, content(place)));
  }

  function draw() {
    const able = board().rows.length > 1;
    document.getElementById("compare").hidden = !able;
    if (!able) return;
    bound.restore();
    document.getElementById("compare-controls").replaceChildren(...bound.boxes());
    fill();
  }
  return { draw };
})();
