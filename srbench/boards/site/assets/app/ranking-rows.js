// What the ranking table holds: a row a model, under the chosen attack, metric and data set.
"use strict";
srbench.rankingRows = (() => {
  const { data, board, better, whole } = srbench;
  const choice = { attack: 0, metric: "", set: "", trained: "", licence: "", size: "", text: "" };

  const view = () => (choice.set === "" ? `${choice.attack}` : `${choice.attack}/${choice.set}`);
  const licence = (row) => data.models[row.about].licence || "unknown";
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
          // The worst of some of the sets, or over some of the images, would be better than it is.
          const worst = values.every((v) => v && whole(v))
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
            // Sorted to the bottom where it is not over every image.
            average: mean && whole(mean) ? mean[0] : null,
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
            found[`c${c.index}`] = values[k] && whole(values[k]) ? values[k][0] : null;
          });
          return found;
        })
        .filter((found) => found.shown)
        // Shared ranks stay in the order of their means, since sorting is stable; those without a rank come last.
        .sort((a, b) => {
          if (!a.rank !== !b.rank) return !a.rank - !b.rank;
          if (a.average === null || b.average === null) return (a.average === null) - (b.average === null);
          return better(choice.metric, a.average, b.average) ? -1 : Number(a.average !== b.average);
        })
    );
  }

  const best = (name, column) =>
    board()
      .rows.map((_, index) => board().means[name][index][column])
      .filter((mean) => mean && whole(mean))
      .map((mean) => mean[0])
      .reduce((a, x) => (a === null || better(name, x, a) ? x : a), null);
  return { choice, licence, columns, rows, best };
})();
