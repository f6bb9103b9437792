// From the board to curves: which lines there are, their points, and the two lines that reference models draw.
"use strict";
srbench.curveData = (() => {
  const { board, better, whole } = srbench;

  const wanted = () =>
    ["lpips", "psnr", ...board().metrics]
      .filter((name, i, all) => board().metrics.includes(name) && all.indexOf(name) === i)
      .slice(0, 2);
  const columns = (set) =>
    board()
      .columns.map((column, index) => ({ ...column, index, facts: board().attacks[column.attack] }))
      .filter((c) => c.dataset === set);

  /** The curve of a model: clean first, then every radius or severity of the line that was measured on as many
      images as the clean input, and on as many as other models. Means over other images would bend the curve, and two settings of one attack at
      one radius are no curve at all. */
  function points(name, row, line, set) {
    const all = measured(name, row, line, set);
    const most = all.find((p) => p.x === 0)?.images ?? Math.max(0, ...all.map((p) => p.images));
    const once = (p) => all.filter((other) => other.x === p.x).length === 1;
    return all.filter((p) => p.images === most && p.whole && once(p));
  }
  function measured(name, row, line, set) {
    const mine = columns(set).filter(
      (c) =>
        c.facts.group === "clean" ||
        (c.facts.line === line.line &&
          c.facts.group === line.group &&
          (c.facts.norm ?? "linf") === line.norm),
    );
    return mine
      .filter((c) => c.facts.at !== null && board().means[name][row][c.index])
      .map((c) => {
        const mean = board().means[name][row][c.index];
        return { x: c.facts.at, y: mean[0], images: mean[3], whole: whole(mean), column: c.index, row };
      })
      .sort((a, b) => a.x - b.x);
  }
  const area = (curve) => {
    let sum = 0;
    for (let i = 1; i < curve.length; i++)
      sum += ((curve[i].x - curve[i - 1].x) * (curve[i].y + curve[i - 1].y)) / 2;
    return sum / curve.at(-1).x;
  };
  /** Lines (attacks without their radius, or corruptions) of a data set, where some model has a point. */
  function lines(set, groups) {
    const found = new Map();
    for (const c of columns(set)) {
      const { line, group, norm = "linf" } = c.facts;
      if (groups.includes(group)) found.set(`${group} ${line} ${norm}`, { line, group, norm });
    }
    return [...found.values()];
  }
  const acceptance = () => board().rows.findIndex((row) => row.model === "bicubic");

  /** The best model: of those with as many points as any, the one with the best mean over the radii. */
  function excellence(name, line, set) {
    const all = board()
      .rows.map((_, row) => points(name, row, line, set))
      .filter((curve) => curve.length > 1);
    const longest = Math.max(0, ...all.map((curve) => curve.length));
    return all
      .filter((curve) => curve.length === longest)
      .reduce((a, c) => (!a || better(name, area(c), area(a)) ? c : a), null);
  }
  return { wanted, columns, points, measured, lines, acceptance, excellence };
})();
