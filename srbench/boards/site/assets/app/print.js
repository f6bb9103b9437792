// The page on paper: all of it drawn, in light colours, and the ranking as a table that breaks across sheets.
"use strict";
(() => {
  const { el, later, ranking, curves } = srbench;
  const root = document.documentElement.dataset;
  const SHEET = [330, 220];
  let theme = null;

  /** What the ranking shows, without the frame that scrolls. */
  function sheet() {
    const columns = ranking.table().getColumns();
    const rows = ranking
      .table()
      .getRows("active")
      .map((row) => {
        const cells = columns.map((column) => row.getCell(column).getElement());
        return el(
          "tr",
          {},
          cells.map((cell) => el("td", {}, [...cell.cloneNode(true).childNodes])),
        );
      });
    const heads = columns.map((column) => el("th", { scope: "col", text: column.getDefinition().title }));
    return el("table", { class: "sheet" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows));
  }

  addEventListener("beforeprint", () => {
    theme = root.theme;
    root.theme = "light";
    document.getElementById("ranking-sheet").replaceChildren(sheet());
    curves.draw(); // what is drawn has the colours it was drawn in
    later.all();
    // Two beside each other, with letters that can be read.
    Object.values(Chart.instances).forEach((chart) => chart.resize(...SHEET));
  });
  addEventListener("afterprint", () => {
    root.theme = theme;
    document.getElementById("ranking-sheet").replaceChildren();
    curves.draw();
  });
})();
