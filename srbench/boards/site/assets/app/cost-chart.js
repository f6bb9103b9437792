// The drawing of quality over cost: a logarithmic axis, points that the keyboard reaches, names beside them.
"use strict";
srbench.costChart = (() => {
  const { el, svg, heading, number, address, metric } = srbench;
  const { COSTS } = srbench.costData;
  const LONGEST = 28;
  const pen = document.createElement("canvas").getContext("2d");
  const width = (text) => {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text).width + 2;
  };
  const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

  /** Round numbers in a range, about five of them. */
  function round(low, high) {
    const rough = (high - low) / 5 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
    const first = Math.ceil(low / step);
    return [...Array(Math.floor(high / step) - first + 1).keys()].map((k) => (first + k) * step);
  }

  /** 1, 2 and 5 of every power of ten in a range; the powers alone where these are many, and where there are
      next to none, what a plain axis would have. */
  function powers(low, high, most) {
    const steps = (of) =>
      [...Array(40).keys()]
        .flatMap((k) => of.map((m) => m * 10 ** (k - 20)))
        .filter((v) => v >= low && v <= high);
    const fine = steps([1, 2, 5]);
    if (fine.length < 3) return round(low, high);
    return fine.length > most ? steps([1]) : fine;
  }

  /** What is said of a point where it is focused, touched or read out. */
  function words(point, choice, attack) {
    const { axis, format } = COSTS[choice.cost];
    const of = (found) => number(choice.metric, found?.value);
    const input = point.attacked
      ? `${of(point.clean)} clean, ${of(point.attacked)} under ${attack}`
      : of(point.clean ?? point.attacked);
    return `${point.name}: ${axis} ${format(point.x)}, ${metric(choice.metric).title} ${input}`;
  }

  /** Moves points that stand above each other apart, the upper to the left, so that each one's line down to where
      an attack takes it is its own; returns whether any was moved. */
  function dodge(spots, area) {
    const order = [...spots].sort((a, b) => a.x - b.x || a.y - b.y);
    let moved = false;
    for (let from = 0, to; from < order.length; from = to) {
      to = from + 1;
      while (to < order.length && order[to].x - order[from].x < 1) to++;
      const step = Math.min(11, (area.right - area.left) / (2 * (to - from)));
      for (let k = from; k < to; k++) {
        const aside = order[k].x + (k - from - (to - from - 1) / 2) * step;
        order[k].x = Math.min(Math.max(aside, area.left), area.right);
      }
      moved ||= to - from > 1;
    }
    return moved;
  }

  /** Whether somebody would take a name for that of another point, or of none. */
  function needsLead(name, spot, others) {
    const away = ({ x, y }) =>
      Math.hypot(Math.max(name.left - x, 0, x - name.right), Math.max(name.top - y, 0, y - name.bottom));
    return Math.abs((name.top + name.bottom) / 2 - spot.y) > 16 || others.some((other) => away(other) < 14);
  }

  /** Draws points into a room of so many pixels; `say` is told of a point that is looked at. */
  function draw(points, choice, attack, room, say) {
    const left = 64,
      right = 12,
      top = 14,
      bottom = 46;
    const area = { left, right: room.width - right, top, bottom: room.height - bottom };
    const xs = points.map((p) => Math.log10(p.x));
    const ys = points.flatMap((p) => [p.clean, p.attacked].filter(Boolean).map((q) => q.value));
    const spread = (values, share) => {
      const low = Math.min(...values),
        high = Math.max(...values);
      const pad = (high - low || 1) * share;
      return [low - pad, high + pad];
    };
    const [x0, x1] = spread(xs, 0.12),
      [y0, y1] = spread(ys, 0.1);
    const at = (x) => area.left + ((Math.log10(x) - x0) / (x1 - x0)) * (area.right - area.left);
    const up = (y) => area.bottom - ((y - y0) / (y1 - y0)) * (area.bottom - area.top);
    const { axis, format } = COSTS[choice.cost];
    const grid = [
      powers(10 ** x0, 10 ** x1, room.width / 80).map((x) => [
        svg("line", { class: "grid", x1: at(x), x2: at(x), y1: area.top, y2: area.bottom }),
        svg("text", {
          x: at(x),
          y: area.bottom + 16,
          "text-anchor": "middle",
          text: format(Number(x.toPrecision(3))).replace(/\.0+(?= )/, ""),
        }),
      ]),
      round(y0, y1).map((y) => [
        svg("line", { class: "grid", x1: area.left, x2: area.right, y1: up(y), y2: up(y) }),
        svg("text", { x: area.left - 6, y: up(y) + 4, "text-anchor": "end", text: Number(y.toPrecision(6)) }),
      ]),
      svg("text", {
        x: (area.left + area.right) / 2,
        y: room.height - 8,
        "text-anchor": "middle",
        text: `${axis} (log scale)`,
      }),
      svg("text", {
        class: "turned",
        x: -(area.top + area.bottom) / 2,
        y: 12,
        "text-anchor": "middle",
        text: heading(choice.metric).replace("↑", "→").replace("↓", "←"),
      }),
    ];
    const spots = points.map((p) => ({
      x: at(p.x),
      y: up((p.clean ?? p.attacked).value),
      text: short(p.name),
    }));
    const dodged = points.some((p) => p.clean && p.attacked) && dodge(spots, area);
    const attacked = points
      .map((p, i) => ({ x: spots[i].x, y: p.clean && p.attacked ? up(p.attacked.value) : null }))
      .filter((spot) => spot.y !== null);
    const taken = attacked.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
    const names = srbench.names.place(spots, area, taken, width);
    const made = points.map((point, i) => {
      const others = [...spots.filter((spot) => spot !== spots[i]), ...attacked];
      const lead = names[i] && needsLead(names[i], spots[i], others);
      return mark(point, spots[i], names[i], lead, up, choice, attack, say);
    });
    const drawing = svg(
      "svg",
      {
        viewBox: `0 0 ${room.width} ${room.height}`,
        role: "group",
        "aria-label": `${heading(choice.metric)} over ${axis}; the same as a table below`,
      },
      svg("g", { "aria-hidden": "true" }, grid),
      made,
    );
    return { drawing, dodged, unnamed: names.filter((name) => !name).length };
  }

  function mark(point, spot, name, lead, up, choice, attack, say) {
    const text = words(point, choice, attack);
    const target = point.clean ?? point.attacked;
    const column = (point.attacked ?? target).column;
    const parts = [
      svg("title", { text }),
      point.clean && point.attacked
        ? [
            svg("line", { class: "fall", x1: spot.x, x2: spot.x, y1: spot.y, y2: up(point.attacked.value) }),
            svg("circle", { class: "attacked", cx: spot.x, cy: up(point.attacked.value), r: 4.5 }),
          ]
        : null,
      svg("circle", { class: point.clean ? "clean" : "attacked", cx: spot.x, cy: spot.y, r: 5 }),
      lead
        ? svg("line", {
            class: "lead",
            x1: spot.x,
            y1: spot.y,
            x2: Math.min(Math.max(spot.x, name.left), name.right),
            y2: (name.top + name.bottom) / 2,
          })
        : null,
      name ? svg("text", { class: "name", x: name.left + 1, y: name.bottom - 4, text: spot.text }) : null,
    ];
    const look = { onfocus: () => say(text), onpointerenter: () => say(text) };
    // Where a point is of one data set it opens its record; a mean over several has none.
    return column === null
      ? svg("g", { class: "point", tabindex: 0, role: "img", "aria-label": text, ...look }, parts)
      : svg(
          "a",
          { class: "point", href: address(point.row, column, choice.metric), "aria-label": text, ...look },
          parts,
        );
  }
  return { draw };
})();
