// The ranking table: one row a model, filtered and sorted by Tabulator.
"use strict";
srbench.ranking = (() => {
  const { data, el, select, board, metric, heading, MARKS, MARK_WORDS } = srbench;
  const { choice, licence, rows } = srbench.rankingRows;
  const { definition } = srbench.rankingColumns;
  const SIZES = [
    ["", "any"],
    ["1e6", "up to 1 M"],
    ["5e6", "up to 5 M"],
    ["2e7", "up to 20 M"],
    ["unknown", "unknown"],
  ];
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

  function fill() {
    table?.destroy();
    const found = rows();
    table = new Tabulator("#ranking-table", {
      data: found,
      columns: definition(found),
      index: "index",
      layout: "fitColumns",
      renderVertical: "basic",
      initialSort: [{ column: "place", dir: "asc" }],
      columnDefaults: { headerSortTristate: false },
      placeholder: "No model fits these filters.",
      headerSortClickElement: "header",
    });
    const ranges = found.some(({ rank }) => rank && rank[1] !== rank[2]);
    document.getElementById("rank-meaning").textContent = ranges ? `${data.ranks_mean}.` : "";
    table.on("dataFiltered", count_shown);
    table.on("tableBuilt", () => table.setFilter(matches));
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

  function controls() {
    const b = board();
    const set = (name) => (value) => {
      choice[name] = name === "attack" ? Number(value) : value;
      fill();
    };
    const filter = (name) => (value) => {
      choice[name] = value;
      table.setFilter(matches);
    };
    const distinct = (of) => [["", "any"], ...[...new Set(b.rows.map(of))].sort().map((v) => [v, v])];
    const search = el("input", {
      type: "search",
      id: "search",
      placeholder: "name",
      value: choice.text,
      oninput: (event) => filter("text")(event.target.value),
    });
    const boxes = [
      select(
        "Data set",
        "set",
        [["", "all"], ...b.datasets.map((d, i) => [i, d.title])],
        choice.set,
        set("set"),
      ),
      select(
        "Attack",
        "attack",
        b.attacks.map((a, i) => [i, a.group === "clean" ? "none (clean)" : a.name]),
        choice.attack,
        set("attack"),
      ),
      select(
        "Metric",
        "metric",
        b.metrics.map((m) => [m, heading(m)]),
        choice.metric,
        set("metric"),
      ),
      select(
        "Trained for",
        "trained",
        distinct((r) => r.trained),
        choice.trained,
        filter("trained"),
      ),
    ];
    if (b.rows.some((r) => data.models[r.model].licence))
      boxes.push(select("Licence", "licence", distinct(licence), choice.licence, filter("licence")));
    if (b.rows.some((r) => r.cost.parameters !== undefined))
      boxes.push(select("Parameters", "size", SIZES, choice.size, filter("size")));
    boxes.push(el("label", { class: "field" }, el("span", { text: "Model" }), search));
    document.getElementById("ranking-controls").replaceChildren(...boxes);
  }

  function draw() {
    Object.assign(choice, {
      attack: 0,
      metric: board().rank_by,
      set: "",
      trained: "",
      licence: "",
      size: "",
      text: "",
    });
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
  return { draw };
})();
