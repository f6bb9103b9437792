// Puts the page together once everything is there.
"use strict";
(() => {
  const { data, el, onBoard, setBoard, state } = srbench;
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
  if (data.boards.length > 1) {
    const picker = document.getElementById("board");
    data.boards.forEach((b, index) => {
      const at = b.scale === 4 ? "" : `×${b.scale}, `;
      const text = `${at}${b.protocol} (${b.protocol_hash.slice(0, 8)}), ${kinds[b.kind]}`;
      picker.append(el("option", { value: index, text }));
    });
    picker.addEventListener("change", () => setBoard(picker.value));
    document.getElementById("board-label").hidden = false;
  }

  const parts = [srbench.ranking, srbench.matrix, srbench.curves, srbench.explorer, srbench.notes];
  const draw = () => parts.forEach((part) => part.draw());
  onBoard(draw);
  document.addEventListener("srbench-theme", () => srbench.curves.draw());
  draw();
  srbench.record.route();
  addEventListener("hashchange", srbench.record.route);
  document.getElementById("board").value = String(state.board);
})();
