// Training domain by test domain, as a heat map that is a table: every cell has its number and its records.
"use strict";
srbench.matrix = (() => {
  const { el, board, choices, metric, heading, number, whole, fewer, titled, address, DASH, MARKS } = srbench;
  const choice = { attack: 0, metric: "", by: "domain" };
  const SIDES = [
    ["domain", "training and test domain"],
    ["model", "model and data set"],
  ];
  const KINDS = [
    choices.kind("by", "Rows and columns", () => SIDES),
    choices.KINDS.attack,
    choices.KINDS.metric,
  ];
  const chosen = choices.bind(
    "matrix",
    () => KINDS,
    choice,
    () => fill(),
  );
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  /** The value of a cell; none where a mean in it is not over every image. */
  const valued = (found) => (found.every((f) => whole(f.mean)) ? mean(found.map((f) => f.value)) : null);
  /** "2 of 4" images, over what a cell has. */
  const reached = (found) => {
    const sum = (at) => found.reduce((all, f) => all + f.mean[at], 0);
    return `${sum(3)} of ${sum(4)}`;
  };

  /** Every measured mean of the chosen attack: model's row, column, value. */
  function measured() {
    const b = board();
    return b.columns
      .flatMap((column, place) =>
        column.attack !== choice.attack
          ? []
          : b.rows.map((row, index) => ({
              row,
              index,
              place,
              column,
              mean: b.means[choice.metric][index][place],
              value: b.means[choice.metric][index][place]?.[0],
              domain: b.datasets[column.dataset].domain,
            })),
      )
      .filter((found) => found.value !== undefined);
  }

  function cells() {
    const all = measured();
    const side = choice.by === "domain" ? (f) => f.row.trained : (f) => f.index;
    const top = choice.by === "domain" ? (f) => f.domain : (f) => f.place;
    const title =
      choice.by === "domain"
        ? (f) => ({ none: "nothing learned" })[f.row.trained] ?? f.row.trained
        : (f) => titled(f.row);
    const head = choice.by === "domain" ? (f) => f.domain : (f) => f.column.title;
    const order = (of, name) => [...new Map(all.map((f) => [of(f), name(f)]))];
    const rows = order(side, title).map(([key, text]) => {
      const mine = all.filter((f) => side(f) === key);
      return { key, text, models: new Set(mine.map((f) => f.index)).size, mine };
    });
    const columns = order(top, head).map(([key, text]) => ({
      key,
      text,
      sets: new Set(all.filter((f) => top(f) === key).map((f) => f.place)).size,
    }));
    return { rows, columns, at: (row, key) => row.mine.filter((f) => top(f) === key) };
  }

  /** The records behind a mean over several, as a list of links in the cell itself. */
  function contents(found, value) {
    const text = value === null ? reached(found) : number(choice.metric, value);
    const mark = board().rows[found[0].index].marks[found[0].place];
    const shown = [el("span", { class: "value", text }), el("span", { class: "mark", text: MARKS[mark] })];
    if (found.length === 1)
      return el(
        "a",
        {
          href: address(found[0].index, found[0].place, choice.metric),
          title: `${titled(found[0].row)} on ${found[0].column.title}${value === null ? `: measured on ${text} images, not comparable` : ""}`,
        },
        shown,
      );
    const links = found.map((f) =>
      el(
        "li",
        {},
        el(
          "a",
          { href: address(f.index, f.place, choice.metric) },
          `${titled(f.row)}, ${f.column.title}: ${number(choice.metric, f.value)}${whole(f.mean) ? "" : ` (${fewer(f.mean)})`}`,
        ),
      ),
    );
    return el(
      "details",
      { class: "several" },
      el("summary", { title: `mean of ${found.length}` }, shown),
      el("ul", {}, links),
    );
  }

  function fill() {
    const { rows, columns, at } = cells();
    const values = rows.flatMap((row) =>
      columns
        .map((c) => at(row, c.key))
        .filter((f) => f.length)
        .map(valued)
        .filter((value) => value !== null),
    );
    const low = Math.min(...values),
      high = Math.max(...values);
    const heat = (value) => {
      const share = high > low ? (value - low) / (high - low) : 0.5;
      return Math.round(100 * (metric(choice.metric).higher ? share : 1 - share));
    };
    const several = (n, word) => (n > 1 ? ` (${n} ${word})` : "");
    const body = rows.map((row) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: row.text + several(row.models, "models") }),
        columns.map((c) => {
          const found = at(row, c.key);
          if (!found.length) return el("td", { class: "none", text: DASH });
          const value = valued(found);
          const mark = board().rows[found[0].index].marks[found[0].place];
          return el(
            "td",
            value === null
              ? { class: `none ${mark}` }
              : { class: `heat ${mark}`, style: { "--heat": `${heat(value)}%` } },
            contents(found, value),
          );
        }),
      ),
    );
    const corner = choice.by === "domain" ? "trained for ↓ tested on →" : "model ↓ data set →";
    document.getElementById("matrix-note").textContent =
      `${heading(choice.metric)}, ${board().attacks[choice.attack].name === "none" ? "clean input" : board().attacks[choice.attack].name}. Deeper colour is better; outlined: the training domain itself.`;
    document.getElementById("matrix-table").replaceChildren(
      el(
        "table",
        { class: "matrix" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col", class: "corner", text: corner }),
            columns.map((c) => el("th", { scope: "col", text: c.text + several(c.sets, "sets") })),
          ),
        ),
        el("tbody", {}, body),
      ),
    );
  }

  function draw() {
    chosen.restore();
    document.getElementById("matrix-lead").textContent =
      "What a model was trained for, against what it is tested on. Where several models or sets share a cell it is their mean, and opens to show each.";
    document.getElementById("matrix-controls").replaceChildren(...chosen.boxes());
    fill();
  }
  return { draw };
})();
