// The ranking table: one row a model, filtered and sorted by Tabulator.
"use strict";
srbench.ranking = (() => {
  const { data, el, board, metric, heading, query, choices, MARKS, MARK_WORDS } = srbench;
  const { choice, licence, rows } = srbench.rankingRows;
  const { definition, key } = srbench.rankingColumns;
  const { shown, picker } = srbench.columnPicker;
  const LONGEST = 200;
  const SIZES = [
    ["", "any"],
    ["1e6", "up to 1 M"],
    ["5e6", "up to 5 M"],
    ["2e7", "up to 20 M"],
    ["unknown", "unknown"],
  ];
  const VIEW = ["set", "attack", "metric"];
  const distinct = (of) => () => [
    ["", "any"],
    ...[...new Set(board().rows.map(of))].sort().map((v) => [v, v]),
  ];
  const KINDS = () => [
    choices.KINDS.allSets,
    choices.KINDS.attack,
    choices.KINDS.metric,
    choices.kind(
      "trained",
      "Trained for",
      distinct((r) => r.trained),
    ),
    ...(board().rows.some((r) => data.models[r.about].licence)
      ? [choices.kind("licence", "Licence", distinct(licence))]
      : []),
    ...(board().rows.some((r) => r.cost.parameters !== undefined)
      ? [choices.kind("size", "Parameters", () => SIZES)]
      : []),
  ];
  const chosen = choices.bind(
    "",
    KINDS,
    choice,
    (name) => (VIEW.includes(name) ? fill() : table.setFilter(matches)),
    // What was up in one view may be down in another: a new view is in the order of its ranks.
    (name) => (VIEW.includes(name) ? ["sort"] : []),
  );
  let table = null;

  const matches = (found) => {
    const text = choice.text.trim().toLowerCase();
    const size = found.parameters;
    return (
      (!text || `${found.row.title} ${found.label}`.toLowerCase().includes(text)) &&
      (!choice.trained || found.row.trained === choice.trained) &&
      (!choice.licence || licence(found.row) === choice.licence) &&
      (!choice.size ||
        (choice.size === "unknown" ? size === null : size !== null && size <= Number(choice.size)))
    );
  };

  const status = document.getElementById("ranking-status");
  function count_shown(_, active) {
    const b = board();
    const attack = b.attacks[choice.attack];
    const where =
      choice.set === ""
        ? b.datasets.length > 1
          ? `${b.datasets.length} data sets`
          : b.datasets[0].title
        : b.datasets[choice.set].title;
    const order = choice.metric === b.rank_by ? "" : ` (the board ranks by ${metric(b.rank_by).title})`;
    status.textContent = `${active.length} of ${b.rows.length} models · ${heading(choice.metric)}${order} · ${where} · ${attack.group === "clean" ? "clean input" : attack.name}`;
  }

  /** The order that the address asks for, by a column that is there; that of the ranks otherwise. */
  function order(columns) {
    const [, down, wanted] = /^(-?)(.*)$/s.exec(query.get("sort") || "place");
    const found = columns.find((c) => key(c.field) === wanted) ?? columns.find((c) => c.field === "place");
    return found ? [{ column: found.field, dir: down && key(found.field) === wanted ? "desc" : "asc" }] : [];
  }
  function hold_order([sorter]) {
    const sort = sorter ? `${sorter.dir === "desc" ? "-" : ""}${key(sorter.field)}` : "";
    query.set({ sort: sort === "place" ? "" : sort });
  }

  function fill() {
    table?.destroy();
    const found = rows();
    const all = definition(found);
    const columns = shown(all);
    const made = new Tabulator("#ranking-table", {
      data: found,
      columns,
      index: "index",
      layout: "fitColumns",
      renderVertical: "basic",
      initialSort: order(columns),
      columnDefaults: { headerSortTristate: false },
      placeholder: "No model fits these filters.",
      headerSortClickElement: "header",
    });
    table = made;
    const ranges = found.some(({ rank }) => rank && rank[1] !== rank[2]);
    document.getElementById("rank-meaning").textContent = ranges ? `${data.ranks_mean}.` : "";
    made.on("dataFiltered", count_shown);
    made.on("tableBuilt", () => {
      made.setFilter(matches);
      made.on("dataSorted", hold_order);
    });
    offer(all);
    const flags = board().flags;
    document.getElementById("flags").replaceChildren(
      flags.length
        ? el(
            "details",
            { class: "warning", open: choice.attack > 0 && flags.length < 6 },
            el("summary", {
              text: `⚑ ${flags.length} remark${flags.length === 1 ? "" : "s"} on attacks and models`,
            }),
            el(
              "ul",
              {},
              flags.map((text) => el("li", { text })),
            ),
          )
        : "",
    );
  }

  let offered = "";
  /** The list of columns is made anew only when there are others, since the focus may be in it. */
  function offer(columns) {
    const fields = columns.map((c) => `${c.field} ${c.title}`).join("\n");
    const old = document.getElementById("columns");
    if (fields === offered && old.childElementCount) return;
    offered = fields;
    const made = picker(columns, fill);
    made.open = old.open ?? false;
    old.replaceWith(made);
  }

  function controls() {
    const search = el("input", {
      type: "search",
      id: "search",
      placeholder: "name",
      value: choice.text,
      oninput: (event) => {
        choice.text = event.target.value;
        query.set({ name: choice.text.slice(0, LONGEST) }, { step: false });
        table.setFilter(matches);
      },
    });
    document
      .getElementById("ranking-controls")
      .replaceChildren(
        ...chosen.boxes(),
        el("label", { class: "field" }, el("span", { text: "Model" }), search),
        el("div", { id: "columns" }),
        el("button", {
          type: "button",
          id: "download",
          text: "CSV",
          title: "Download what is shown, as CSV",
          onclick: () => srbench.download.save(table),
        }),
      );
  }

  function draw() {
    Object.assign(choice, { trained: "", licence: "", size: "" });
    chosen.restore();
    choice.text = query.get("name").slice(0, LONGEST);
    controls();
    fill();
    document.getElementById("legend").replaceChildren(
      ...["in-domain", "out-of-domain", "generalist"].map((mark) =>
        el("span", { class: `chip ${mark}` }, `${MARKS[mark]} ${MARK_WORDS[mark]}`),
      ),
      el("span", {
        class: "small",
        text: "Bold: the best of a column. Every number opens the record behind it.",
      }),
    );
  }
  return { draw, table: () => table };
})();
