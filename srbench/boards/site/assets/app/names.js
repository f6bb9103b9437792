// Names beside points, so that none lies on another one, on a point, or beyond the edge.
"use strict";
srbench.names = (() => {
  const HEIGHT = 15;
  const GAP = 8;
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const box = (x, y, width) => ({ left: x, right: x + width, top: y - HEIGHT / 2, bottom: y + HEIGHT / 2 });

  /** Boxes a name may take, the best first: beside its point, above and below it, then farther off. */
  function* places({ x, y }, width) {
    for (const away of [0, 12, 24, 40, 60]) {
      for (const down of away ? [-away, away] : [0]) {
        yield box(x + GAP + away / 2, y + down, width);
        yield box(x - GAP - away / 2 - width, y + down, width);
      }
      yield box(x - width / 2, y - away - 14, width);
      yield box(x - width / 2, y + away + 14, width);
    }
  }

  /** For every point (x, y, text) the box of its name, or null where none is free; `taken` are boxes that stay
      free, and `width` measures a text. */
  function place(points, area, taken, width) {
    const used = [
      ...taken,
      ...points.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 })),
    ];
    const inside = (b) =>
      b.left >= area.left && b.right <= area.right && b.top >= area.top && b.bottom <= area.bottom;
    const found = points.map(() => null);
    const order = points.map((_, i) => i).sort((a, b) => points[a].x - points[b].x);
    for (const i of order) {
      for (const candidate of places(points[i], width(points[i].text))) {
        if (!inside(candidate) || used.some((other) => meet(candidate, other))) continue;
        found[i] = candidate;
        used.push(candidate);
        break;
      }
    }
    return found;
  }
  return { place };
})();
