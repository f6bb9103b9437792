// Puts the page together once everything is there.
"use strict";
(() => {
  const { data, el, query, state } = srbench;
  const models = new Set(data.boards.flatMap((b) => b.rows.map((r) => r.label))).size;
  const sets = new Set(data.boards.flatMap((b) => b.datasets.map((d) => d.hash))).size;
  const attacks = new Set(data.boards.flatMap((b) => b.attacks.map((a) => a.name))).size - 1;
  const many = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  document.getElementById("summary").textContent = [
    many(models, "model"),
    many(sets, "data set"),
    attacks > 0 ? many(attacks, "attacked input") : null,
    many(data.records, "measured image"),
  ]
    .filter(Boolean)
    .join(" · ");

  const kinds = { paired: "against ground truth", "no-reference": "without ground truth" };
  const named = (b) => `${b.protocol}-${b.protocol_hash.slice(0, 8)}-${b.kind}-x${b.scale}`;
  const picker = document.getElementById("board");
  if (data.boards.length > 1) {
    data.boards.forEach((b, index) => {
      const at = b.scale === 4 ? "" : `×${b.scale}, `;
      const text = `${at}${b.protocol} (${b.protocol_hash.slice(0, 8)}), ${kinds[b.kind]}`;
      picker.append(el("option", { value: index, text }));
    });
    picker.addEventListener("change", () => {
      state.board = Number(picker.value);
      // What else was chosen is of the other board.
      query.only(state.board ? { board: named(data.boards[state.board]) } : {});
      draw();
    });
    document.getElementById("board-label").hidden = false;
  }

  const { ranking, matrix, cost, curves, compare, worst, explorer, notes } = srbench;
  const parts = [ranking, matrix, cost, curves, compare, worst, explorer, notes];
  const draw = () => parts.forEach((part) => part.draw());
  /** Shows what the address says. */
  function restore() {
    state.board = Math.max(0, data.boards.map(named).indexOf(query.get("board")));
    picker.value = String(state.board);
    draw();
  }
  document.addEventListener("srbench-theme", () => curves.draw());
  query.onBack(restore);
  restore();
  srbench.record.route();
  addEventListener("hashchange", srbench.record.route);
})();
