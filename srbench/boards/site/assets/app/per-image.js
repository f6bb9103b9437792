// Single images: their numbers under one attack on one set, and links to the records behind them.
"use strict";
srbench.perImage = (() => {
  const { el, board, state, load, metric, address, DASH } = srbench;

  /** The column of a data set under an attack; the first where one attack's name has two settings. */
  const column = ({ set, attack }) =>
    board().columns.findIndex((c) => c.dataset === set && c.attack === attack);

  /** Images with, by row, what was measured of them; null where nothing was, or a metric is undefined. */
  async function images(place, name) {
    const chunk = await load(board().columns[place].chunk);
    const rows = Object.keys(chunk.rows).map(Number);
    const value = (row, at) => {
      const whole = chunk.rows[row].values[name]?.[at] ?? null;
      return whole === null ? null : whole / 10 ** metric(name).decimals;
    };
    return chunk.images.map((image, at) => ({
      image,
      at,
      values: new Map(rows.map((row) => [row, value(row, at)])),
    }));
  }
  const text = (name, value) => (value === null ? DASH : value.toFixed(metric(name).decimals));
  const link = (name, value, row, place, at) =>
    el("a", { href: address(row, place, name, state.board, at), text: text(name, value) });

  /** Puts what a promise brings into an element, unless something newer was asked for meanwhile. */
  function put(element, promise) {
    element.asked = promise;
    promise
      .catch((error) => [el("p", { text: error.message })])
      .then((content) => element.asked === promise && element.replaceChildren(...content.filter(Boolean)));
  }
  return { column, images, text, link, put };
})();
