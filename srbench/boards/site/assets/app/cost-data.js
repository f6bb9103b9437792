// What a model takes, beside what it gives: a point a model, clean and attacked.
"use strict";
srbench.costData = (() => {
  const { board, whole } = srbench;
  const { count, seconds } = srbench.cells;
  const COSTS = {
    parameters: { text: "parameters", axis: "Parameters", format: count },
    macs_per_lr_pixel: { text: "multiply-accumulates", axis: "MAC per LR pixel", format: count },
    seconds: { text: "time", axis: "Time an image, clean input", format: seconds },
  };
  /** Costs that two rows or more have, since one point is no picture. */
  const known = () =>
    Object.keys(COSTS).filter((name) => board().rows.filter((row) => row.cost[name] > 0).length > 1);

  /** A title, or the name where another model has the same title. */
  const called = (row) =>
    board().rows.some((other) => other !== row && other.title === row.title) ? row.label : row.title;

  /** A mean over every image it should be, under an attack, on one set or on all; and the column it is of, where it
      is of one. */
  function quality(row, name, attack, set) {
    const b = board();
    const columns = b.columns
      .map((column, index) => ({ ...column, index }))
      .filter((c) => c.attack === attack && (set === "" || c.dataset === set));
    const one = columns.length === 1 ? columns[0].index : null;
    const mean = one === null ? set === "" && b.average[name][row][attack] : b.means[name][row][one];
    return mean && whole(mean) ? { value: mean[0], column: one } : null;
  }

  /** The models that have the cost and a clean mean, or an attacked one, and those that have not. */
  function points({ cost, metric, attack, set }) {
    const clean = board().attacks.findIndex((a) => a.group === "clean");
    const all = board().rows.map((row, index) => ({
      row: index,
      name: called(row),
      x: row.cost[cost],
      clean: quality(index, metric, clean, set),
      attacked: attack === clean ? null : quality(index, metric, attack, set),
    }));
    const drawn = all.filter((p) => p.x > 0 && (p.clean || p.attacked));
    return { drawn, left: all.filter((p) => !drawn.includes(p)) };
  }
  return { COSTS, known, points };
})();
