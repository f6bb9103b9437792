// Robustness curves: the metric over the radius of an attack, and over the severity of a corruption.
"use strict";
srbench.curves = (() => {
  const { el, plainTable, select, board, query, heading, number, address, colour, later, DASH } = srbench;
  const { wanted, columns, points, measured, lines, acceptance } = srbench.curveData;
  const { chart } = srbench.curveChart;
  const { fill } = srbench.commands;
  const MOST = 6;
  const NONE = "-";
  const choice = { models: [] };
  let charts = [];

  /** One panel: a chart, drawn later, and its numbers as a table with links. */
  function panel(name, line, set) {
    const canvas = el("canvas", {
      role: "img",
      "aria-label": `${heading(name)} under ${line.line}; the numbers are in the table below`,
    });
    later(canvas, () => charts.push(chart(canvas, name, line, set, choice.models)));
    return el(
      "figure",
      { class: "chart" },
      el("figcaption", { text: `${line.line}: ${heading(name)}` }),
      el("div", { class: "canvas" }, canvas),
    );
  }

  function numbers(line, set) {
    const names = wanted();
    const at = [
      ...new Set(board().rows.flatMap((_, row) => points(names[0], row, line, set).map((p) => p.x))),
    ].sort((a, b) => a - b);
    const rows = board()
      .rows.flatMap((row, index) =>
        names.map((name) => {
          const curve = points(name, index, line, set);
          return curve.length < 2
            ? null
            : el(
                "tr",
                {},
                el("th", { scope: "row", text: row.label }),
                el("td", { text: heading(name) }),
                at.map((x) => {
                  const point = curve.find((p) => p.x === x);
                  return el(
                    "td",
                    {},
                    point
                      ? el("a", { href: address(index, point.column, name), text: number(name, point.y) })
                      : DASH,
                  );
                }),
              );
        }),
      )
      .filter(Boolean);
    const what = line.group === "corruption" ? "severity" : "eps";
    const lost = board().rows.reduce(
      (sum, _, row) =>
        sum + measured(names[0], row, line, set).length - points(names[0], row, line, set).length,
      0,
    );
    return el(
      "details",
      {},
      el("summary", {
        text: `Numbers: ${line.line}${lost ? ` (${lost} points left out: on fewer images than the clean input, or with two settings)` : ""}`,
      }),
      el(
        "div",
        { class: "scroll" },
        plainTable(["Model", "Metric", ...at.map((x) => (x === 0 ? "clean" : `${what} ${x}`))], rows),
      ),
    );
  }

  /** The areas under the curves of one attack, over all data sets that have them. */
  function areas(line) {
    const found = board().areas.filter((a) => a.line === line.line && a.norm === line.norm);
    if (!found.length || line.group === "corruption") return null;
    const name = board().rank_by;
    const bounds = (low, high) => (low === null ? DASH : `${low} to ${high}`);
    const ratio = (value) =>
      value
        ? [value[0].toFixed(3), bounds(value[1]?.toFixed(3) ?? null, value[2]?.toFixed(3))]
        : [DASH, DASH];
    const cells = (a) => [
      number(name, a.area[0]),
      bounds(a.area[1] === null ? null : number(name, a.area[1]), number(name, a.area[2])),
      ...ratio(a.over_bicubic),
      ...ratio(a.over_noise),
    ];
    const rows = found.map((a) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: board().rows[a.row].label }),
        cells(a).map((text) => el("td", { text })),
      ),
    );
    const sets = `${found[0].sets} data set${found[0].sets === 1 ? "" : "s"}`;
    return el(
      "details",
      { class: "areas" },
      el("summary", { text: `Area: ${line.line}, eps 0 to ${found[0].last}, ${sets}` }),
      el("p", {
        text: "Mean over the radii by the trapezoidal rule; divided by bicubic's under the same attack, and by the model's own under random noise of the same radii.",
      }),
      el(
        "div",
        { class: "scroll" },
        plainTable(
          ["Model", heading(name), "95 %", "of bicubic's", "95 %", "of noise's", "95 %"],
          rows,
        ),
      ),
    );
  }

  function key() {
    const entry = (text, style, shape) =>
      el(
        "span",
        { class: "key" },
        el("i", { style: { "border-top": style }, "aria-hidden": true }),
        shape ? `${shape} ${text}` : text,
      );
    const shapes = ["●", "■", "▲", "◆", "✶", "✚"];
    const made = choice.models
      .filter((row) => row !== acceptance())
      .map((row) => {
        const place = choice.models.indexOf(row) % shapes.length;
        return entry(board().rows[row].label, `2px solid ${colour(`--line-${place + 1}`)}`, shapes[place]);
      });
    return el(
      "div",
      { class: "legend" },
      made,
      entry("random noise of the same radius, in the model's colour", "2px dotted currentColor"),
      entry("acceptance line: bicubic", `2px dashed ${colour("--muted")}`),
      entry("excellence line: the best model, bicubic where none beats it", `9px solid ${colour("--halo")}`),
    );
  }

  function models(set, drawn) {
    const able = board()
      .rows.map((row, index) => ({ row, index }))
      .filter(({ index }) =>
        drawn.some((line) => wanted().some((name) => points(name, index, line, set).length > 1)),
      );
    const box = ({ row, index }) =>
      el(
        "label",
        { class: "check" },
        el("input", {
          type: "checkbox",
          value: index,
          checked: choice.models.includes(index),
          onchange: (event) => {
            const next = event.target.checked
              ? [...choice.models, index].slice(-MOST)
              : choice.models.filter((m) => m !== index);
            query.set({ "curve-model": next.length ? next.map((m) => board().rows[m].name) : NONE });
            draw();
            document.querySelector(`#curve-models input[value="${index}"]`)?.focus();
          },
        }),
        row.label,
      );
    return el(
      "fieldset",
      { id: "curve-models" },
      el("legend", { text: `Models (at most ${MOST} at once)` }),
      able.filter(({ row }) => row.model !== "bicubic").map(box),
    );
  }

  /** The models that the address names; the first three where it names none that are drawn. */
  function chosen(able) {
    const names = query.all("curve-model");
    const found = names.map((name) => able.find((i) => board().rows[i].name === name)).filter((i) => i !== undefined);
    return found.length || names.includes(NONE) ? [...new Set(found)].slice(0, MOST) : able.slice(0, 3);
  }

  function draw() {
    charts.forEach((made) => made.destroy());
    charts = [];
    const body = document.getElementById("robustness-body");
    const sets = board()
      .datasets.map((_, i) => i)
      .filter((i) => lines(i, ["attack", "transfer", "random", "corruption"]).length);
    if (!sets.length) {
      body.replaceChildren(el("p", { text: "No attacked or corrupted input was measured. For curves over the radius:" }), ...fill("curves"));
      return;
    }
    // First the set with the most to show.
    const most = sets.reduce((a, i) => (columns(i).length > columns(a).length ? i : a), sets[0]);
    const set = sets.find((i) => board().datasets[i].title === query.get("curve-set")) ?? most;
    const able = (line) => board().rows.some((_, row) => points(wanted()[0], row, line, set).length > 1);
    const every = lines(set, ["attack", "transfer"]);
    const attacks = (every.length ? every : lines(set, ["random"])).filter(able);
    const corruptions = lines(set, ["corruption"]).filter(able);
    const drawn = [...attacks, ...corruptions];
    const left = lines(set, ["attack", "transfer", "corruption"]).filter(
      (line) => !drawn.some((d) => d.line === line.line && d.norm === line.norm),
    );
    choice.models = chosen(
      board()
        .rows.map((_, i) => i)
        .filter((i) => i !== acceptance() && drawn.some((line) => points(wanted()[0], i, line, set).length > 1)),
    );
    const group = (title, chosen) =>
      chosen.length
        ? [
            el("h3", { text: title }),
            ...chosen.map((line) =>
              el(
                "div",
                {},
                el(
                  "div",
                  { class: "charts" },
                  wanted().map((name) => panel(name, line, set)),
                ),
                numbers(line, set),
                areas(line),
              ),
            ),
          ]
        : [];
    body.replaceChildren(
      el(
        "div",
        { class: "controls" },
        select(
          "Data set",
          "curve-set",
          sets.map((i) => [board().datasets[i].title, board().datasets[i].title]),
          board().datasets[set].title,
          (title) => {
            query.set({ "curve-set": title });
            draw();
            document.getElementById("curve-set").focus();
          },
        ),
      ),
      models(set, drawn),
      key(),
      ...group("Under attack, over the radius", attacks),
      ...group("Natural corruptions, by severity", corruptions),
      ...(left.length
        ? [
            el("p", {
              class: "small",
              text: `Not drawn, since measured on fewer images than the clean input or at one point only: ${left.map((line) => line.line).join(", ")}. For curves over the radius:`,
            }),
            ...fill("curves"),
          ]
        : []),
    );
  }
  return { draw };
})();
