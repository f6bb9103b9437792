// One chart of robustness curves: the chosen models, random noise, and the two lines of reference.
"use strict";
srbench.curveChart = (() => {
  const { board, heading, number, address, colour } = srbench;
  const { points, lines, acceptance, excellence } = srbench.curveData;
  const SHAPES = ["circle", "rect", "triangle", "rectRot", "star", "cross"];

  function datasets(name, line, set, models) {
    const palette = [1, 2, 3, 4, 5, 6].map((i) => colour(`--line-${i}`));
    const faint = colour("--muted");
    const made = [];
    const best = excellence(name, line, set);
    const base = acceptance();
    const bicubic = base < 0 ? [] : points(name, base, line, set);
    const add = (label, data, style) => {
      if (data.length > 1) made.push({ label, data, borderWidth: 2, pointRadius: 3, clip: 8, ...style });
    };
    models.forEach((row) => {
      const place = models.indexOf(row) % palette.length;
      const style = {
        borderColor: palette[place],
        backgroundColor: palette[place],
        pointStyle: SHAPES[place],
        pointRadius: 4,
      };
      if (row !== base) add(board().rows[row].label, points(name, row, line, set), style);
      if (line.group === "attack") {
        const noise = lines(set, ["random"]).find((l) => l.norm === line.norm);
        if (noise && row !== base)
          add(`random noise, ${board().rows[row].label}`, points(name, row, noise, set), {
            ...style,
            borderDash: [2, 3],
            borderWidth: 1.5,
            pointRadius: 0,
          });
      }
    });
    add("acceptance: bicubic", bicubic, {
      borderColor: faint,
      backgroundColor: faint,
      borderDash: [7, 4],
      pointRadius: 0,
    });
    if (best)
      add(`excellence: ${board().rows[best[0].row].label}`, best, {
        borderColor: colour("--halo"),
        backgroundColor: colour("--halo"),
        borderWidth: 11,
        borderCapStyle: "round",
        pointRadius: 0,
        order: 5,
      });
    return made;
  }

  /** Draws a metric of some models (their rows) on a data set, over the radii or severities of a line. */
  function chart(canvas, name, line, set, models) {
    const ink = colour("--ink"),
      grid = colour("--rule");
    const made = datasets(name, line, set, models);
    return new Chart(canvas, {
      type: "line",
      data: { datasets: made },
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: false,
        parsing: false,
        normalized: true,
        interaction: { mode: "nearest", intersect: false },
        onClick: (_, hits, drawn) => {
          if (!hits.length) return;
          const point = drawn.data.datasets[hits[0].datasetIndex].data[hits[0].index];
          location.hash = address(point.row, point.column, name);
        },
        plugins: {
          legend: { display: false },
          tooltip: {
            callbacks: {
              title: (items) =>
                line.group === "corruption"
                  ? `severity ${items[0].parsed.x}`
                  : `eps ${items[0].parsed.x} of 255`,
              label: (item) => `${item.dataset.label}: ${number(name, item.parsed.y)}`,
            },
          },
        },
        scales: {
          x: {
            type: "linear",
            min: 0,
            max: Math.max(...made.flatMap((d) => d.data.map((p) => p.x))),
            title: {
              display: true,
              text:
                line.group === "corruption"
                  ? "severity"
                  : `eps, of 255${line.norm === "linf" ? "" : ` (${line.norm})`}`,
              color: ink,
            },
            ticks: { color: ink, stepSize: line.group === "corruption" ? 1 : undefined },
            grid: { color: grid },
          },
          y: {
            // Turned by a quarter, its arrow with it.
            title: { display: true, text: heading(name).replace("↑", "→").replace("↓", "←"), color: ink },
            ticks: { color: ink },
            grid: { color: grid },
          },
        },
      },
    });
  }
  return { chart };
})();
