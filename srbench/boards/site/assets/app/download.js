// The ranking as it is shown, as a CSV file: RFC 4180, in UTF-8.
"use strict";
srbench.download = (() => {
  const { board, number, metric, whole, fewer } = srbench;
  const { choice } = srbench.rankingRows;
  // What a spreadsheet would take for a formula.
  const RUNS = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/;

  /** Numbers are as they are; text is quoted where it must be and never runs. */
  function field(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = RUNS.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const csv = (rows) => rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

  /** A mean, its interval where it has one, and of how many images it is where these are fewer. */
  function mean(value) {
    const round = (x) => (x === null ? null : Number(number(choice.metric, x)));
    if (!value) return [null, null, null, null];
    return [...value.slice(0, 3).map(round), whole(value) ? null : fewer(value)];
  }
  const MEAN = ["", " 95 % low", " 95 % high", " images"];

  /** The endings of a column's headings, and what a row has under each. */
  function parts(field) {
    const b = board();
    if (field === "place") return [["", " low", " high"], (f) => f.rank ?? [null, null, null]];
    if (field === "label")
      return [["", " name", " partial"], (f) => [f.row.title, f.label, f.row.partial || null]];
    if (field === "trained") return [[""], (f) => [f.trained]];
    if (field === "average") return [MEAN, (f) => mean(f.mean)];
    const at = (f, column) => mean(b.means[choice.metric][f.index][column]);
    if (field === "worst") return [MEAN, (f) => (f.worst === null ? mean(null) : at(f, f.worstAt))];
    if (/^c\d+$/.test(field)) {
      const column = Number(field.slice(1));
      const failed = (f) => b.flagged.find(([r, c]) => r === f.index && c === column)?.[2] ?? null;
      return [[...MEAN, " failed checks"], (f) => [...at(f, column), failed(f)]];
    }
    if (field === "gap") return [[""], (f) => [f.gap === null ? null : Number(number(choice.metric, f.gap))]];
    return [[""], (f) => [f[field]]]; // a cost, in full
  }

  /** Headings and rows of what a table shows; a part of a column that no row has is left out. */
  function content(table) {
    const found = table.getRows("active").map((row) => row.getData());
    const columns = table.getColumns().flatMap((shown) => {
      const { field: name, title } = shown.getDefinition();
      const [endings, of] = parts(name);
      const cells = found.map(of);
      return endings
        .map((ending, k) => [`${title}${ending}`, ...cells.map((row) => row[k] ?? null)])
        .filter((column, k) => k === 0 || column.slice(1).some((cell) => cell !== null));
    });
    return [...Array(found.length + 1).keys()].map((row) => columns.map((column) => column[row]));
  }

  function save(table) {
    const attack = board().attacks[choice.attack];
    const name = ["srbench", metric(choice.metric).title, attack.group === "clean" ? "clean" : attack.name];
    // The mark of UTF-8, without which a spreadsheet reads another encoding.
    const file = new Blob(["\uFEFF", csv(content(table))], { type: "text/csv;charset=utf-8" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${name
      .join("-")
      .replace(/[^\w.-]+/g, "-")
      .slice(0, 80)}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  return { save };
})();
