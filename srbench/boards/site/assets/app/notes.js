// Reported against measured, notes, and the page's last lines.
"use strict";
srbench.notes = (() => {
  const { data, el, plainTable, metric, number, titled, address } = srbench;

  function reported() {
    const found = data.reported;
    const body = document.getElementById("reported-body");
    if (!found) {
      body.replaceChildren(
        el("p", { text: "No published numbers were given: srbench leaderboard --html DIR --reported FILE" }),
      );
      return;
    }
    const source = el(
      "p",
      { class: "small" },
      `Published in: ${found.source} `,
      found.url ? el("a", { href: found.url, rel: "noreferrer", text: found.url }) : null,
    );
    if (!found.rows.length) {
      body.replaceChildren(
        el("p", {
          text: `Of ${found.published} published numbers, on ${found.datasets.join(" and ")}, none is of a model and data set measured here. A mini set is not the set it stands in for.`,
        }),
        source,
      );
      return;
    }
    const rows = found.rows.map((row) => {
      const board = data.boards[row.board];
      const column = board.columns[row.column];
      const difference = row.measured - row.reported;
      const good = metric(row.metric).higher ? difference >= 0 : difference <= 0;
      return el(
        "tr",
        {},
        el("th", { scope: "row", text: titled(board.rows[row.row], board) }),
        el("td", { text: column.title }),
        el("td", { text: metric(row.metric).title }),
        el("td", { text: row.reported }),
        el(
          "td",
          {},
          el("a", {
            href: address(row.row, row.column, row.metric, row.board),
            text: number(row.metric, row.measured),
          }),
        ),
        el("td", {
          class: good ? "good" : "bad",
          text: `${difference >= 0 ? "+" : "−"}${number(row.metric, Math.abs(difference))} ${good ? "better" : "worse"}`,
        }),
      );
    });
    const heads = ["Model", "Data set", "Metric", "Reported", "Measured here", "Difference"];
    body.replaceChildren(
      el("div", { class: "scroll" }, plainTable(heads, rows)),
      source,
    );
  }

  function draw() {
    reported();
    const board = srbench.board();
    document.getElementById("notes-body").replaceChildren(
      el(
        "ul",
        {},
        board.notes.filter((line) => !line.startsWith("Flag: ")).map((text) => el("li", { text })),
      ),
      el("p", {
        class: "small",
        text: "Whiskers and ranges are 95 % intervals from a bootstrap over photographs, or over images where no record says what they show.",
      }),
    );
    const days = [...new Set(data.created.map((time) => time.slice(0, 10)))].join(" to ");
    document
      .getElementById("footer")
      .replaceChildren(
        el(
          "p",
          { class: "small" },
          `Made by srbench from ${data.records.toLocaleString("en")} records of ${days}, measured with version ${data.versions.join(", ")}. `,
          "Nothing on this page was computed by running a model. Tables by Tabulator, curves by Chart.js; ",
          el("a", { href: "vendor/VENDORED.md", text: "versions and licences" }),
          ".",
        ),
      );
  }
  return { draw };
})();
