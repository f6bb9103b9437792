// The ranking table: one row a model, filtered and sorted by Tabulator.
"use strict";
srbench.ranking = (() => {
  const { data, el, select, board, metric, heading, number, better, MARKS, MARK_WORDS, DASH } = srbench;
  const { cell, average, rank, model, count, seconds } = srbench.cells;
  const SIZES = [
    ["", "any"],
    ["1e6", "up to 1 M"],
    ["5e6", "up to 5 M"],
    ["2e7", "up to 20 M"],
    ["unknown", "unknown"],
  ];
  const choice = { attack: 0, metric: "", set: "", trained: "", licence: "", size: "", text: "" };
  let table = null;

  const view = () => (choice.set === "" ? `${choice.attack}` : `${choice.attack}/${choice.set}`);
  const licence = (row) => data.models[row.model].licence || "unknown";
  const columns = () =>
    board()
      .columns.map((column, index) => ({ ...column, index }))
      .filter((c) => c.attack === choice.attack && (choice.set === "" || c.dataset === Number(choice.set)));

  /** What Tabulator holds for a row: plain numbers to sort by, under short names. */
  function rows() {
    const b = board();
    const shown = columns();
    return (
      b.rows
        .map((row, index) => {
          const values = shown.map((c) => b.means[choice.metric][index][c.index]);
          const mean = choice.set === "" ? b.average[choice.metric][index][choice.attack] : values[0];
          const reached = values.filter(Boolean).map((v) => v[0]);
          const worst = reached.length
            ? reached.reduce((a, x) => (better(choice.metric, a, x) ? x : a))
            : null;
          const rank = b.ranks[choice.metric][view()]?.[index];
          const found = {
            index,
            row,
            mean,
            rank,
            shown: reached.length,
            place: rank ? rank[0] : null,
            average: mean ? mean[0] : null,
            worst,
            worstAt: worst === null ? null : shown[values.findIndex((v) => v && v[0] === worst)].index,
            gap: b.gap[choice.metric][index][choice.attack],
            label: row.label,
            trained: row.trained_for,
            parameters: row.cost.parameters ?? null,
            mac: row.cost.macs_per_lr_pixel ?? null,
            seconds: row.cost.seconds ?? null,
            memory: row.cost.peak_mib ?? null,
          };
          shown.forEach((c, k) => {
            found[`c${c.index}`] = values[k] ? values[k][0] : null;
          });
          return found;
        })
        .filter((found) => found.shown)
        // Shared ranks stay in the order of their means, since sorting is stable.
        .sort((a, b) => {
          if (!a.mean || !b.mean) return !a.mean - !b.mean;
          return better(choice.metric, a.average, b.average) ? -1 : Number(a.average !== b.average);
        })
    );
  }

  const best = (name, column) =>
    board()
      .rows.map((_, index) => board().means[name][index][column]?.[0])
      .filter((v) => v !== undefined)
      .reduce((a, x) => (a === null || better(name, x, a) ? x : a), null);

  /** A heading that the keyboard reaches: Enter on it sorts, as a click does. */
  const title = (text, about) => () => el("button", { type: "button", class: "sort", title: about, text });
  const column = (field, text, about, more = {}) => ({
    field,
    title: text,
    titleFormatter: title(text, about),
    sorter: "number",
    hozAlign: "right",
    headerHozAlign: "right",
    sorterParams: { alignEmptyValues: "bottom" },
    resizable: false,
    ...more,
  });

  function definition(found) {
    const name = choice.metric;
    const start = metric(name).higher ? "desc" : "asc";
    const ends = found.flatMap((f) => (f.mean ? [f.mean[1] ?? f.mean[0], f.mean[2] ?? f.mean[0]] : []));
    const low = Math.min(...ends),
      high = Math.max(...ends);
    const of = (formatter) => (c) => formatter(c.getRow().getData());
    const plain = (format) => (c) => (c.getValue() === null ? DASH : format(c.getValue()));
    const shown = columns();
    const narrow = matchMedia("(max-width: 640px)").matches;
    const made = [
      column("place", "#", "Rank; beneath it the ranks the uncertainty allows", {
        formatter: of(rank),
        width: narrow ? 46 : 64,
        frozen: true,
        hozAlign: "center",
        headerHozAlign: "center",
      }),
      column("label", "Model", "Model", {
        formatter: of(model),
        sorter: "string",
        hozAlign: "left",
        headerHozAlign: "left",
        frozen: true,
        minWidth: narrow ? 128 : 184,
        widthGrow: 2,
        width: narrow ? 128 : undefined,
      }),
      column("trained", "Trained for", "The degradation the model was trained for", {
        formatter: (c) => el("span", { class: "chip", text: c.getValue() }),
        sorter: "string",
        hozAlign: "left",
        headerHozAlign: "left",
        minWidth: 118,
      }),
    ];
    const main = column(
      "average",
      shown.length > 1 ? `${heading(name)} mean` : heading(name),
      "Mean over the data sets with its 95 % interval",
      {
        formatter: of((f) => average(name, f, shown, low, high)),
        headerSortStartingDir: start,
        minWidth: 144,
        widthGrow: 2,
        hozAlign: "left",
        headerHozAlign: "left",
      },
    );
    made.splice(2, 0, main);
    if (shown.length > 1) {
      made.push(
        column("worst", "Worst", "The worst data set's mean", {
          formatter: of((f) => (f.worst === null ? DASH : cell(name, f.index, f.worstAt, null))),
          headerSortStartingDir: start,
          minWidth: 118,
        }),
      );
    }
    if (found.some((f) => f.gap !== null)) {
      made.push(
        column(
          "gap",
          "Gap",
          "Generalization gap: mean on sets the model was not trained for minus mean on the set it was",
          {
            formatter: plain((v) => (v > 0 ? "+" : v < 0 ? "−" : "") + number(name, Math.abs(v))),
            headerSortStartingDir: start,
            minWidth: 80,
          },
        ),
      );
    }
    if (shown.length > 1) {
      for (const c of shown) {
        const top = best(name, c.index);
        const full = c.images < c.of ? `, ${c.images} of ${c.of} images` : "";
        made.push(
          column(
            `c${c.index}`,
            c.title,
            `${heading(name)} on ${c.title} (${board().datasets[c.dataset].domain}${full})`,
            {
              formatter: of((f) => cell(name, f.index, c.index, top)),
              headerSortStartingDir: start,
              minWidth: 118,
              cssClass: "domain",
            },
          ),
        );
      }
    }
    const costs = [
      ["parameters", "Params", "Number of parameters", count],
      ["mac", "MAC / LR px", "Multiply-accumulate operations per LR pixel, counted on its graph", count],
      ["seconds", "Time", "Seconds an image, as recorded; compare only rows of one device", seconds],
      ["memory", "Memory", "Peak memory: most bytes in tensors at once for an LR of 64 × 64, counted; a device takes more", (v) => `${v.toPrecision(3)} MiB`],
    ];
    for (const [field, text, about, format] of costs) {
      if (found.some((f) => f[field] !== null))
        made.push(
          column(field, text, about, {
            formatter: plain(format),
            minWidth: field === "memory" ? 96 : 86,
          }),
        );
    }
    return made;
  }

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
              text: `⚑ ${flags.length} remark${flags.length === 1 ? "" : "s"} on the strength of attacks`,
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
