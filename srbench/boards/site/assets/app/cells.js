// What the cells of the ranking table look like.
"use strict";
srbench.cells = (() => {
  const { data, el, board, heading, number, interval, whole, fewer, address, MARKS, MARK_WORDS, DASH } =
    srbench;

  /** A number that opens its record, with its interval beneath and its mark, which needs no colour. */
  function cell(name, row, column, top) {
    const b = board();
    const mean = b.means[name][row][column];
    if (!mean) return el("span", { class: "none", text: DASH });
    const mark = b.rows[row].marks[column];
    const flagged = b.flagged.find(([r, c]) => r === row && c === column);
    const words = [
      `${heading(name)} ${number(name, mean[0])}`,
      `95 % ${interval(name, mean)}`,
      whole(mean) ? `${mean[3]} images` : `${fewer(mean)} images: not comparable`,
      MARK_WORDS[mark],
      flagged ? `${flagged[2]} images fail a strength check` : "",
    ];
    return el(
      "a",
      {
        class: `num ${mark}`,
        href: address(row, column, name),
        title: words.filter(Boolean).join("; "),
      },
      el("span", {
        class: whole(mean) && mean[0] === top ? "value best" : "value",
        text: number(name, mean[0]),
      }),
      whole(mean) ? null : el("span", { class: "fewer", text: ` (${fewer(mean)})` }),
      el("span", { class: "mark", "aria-label": MARK_WORDS[mark], text: MARKS[mark] }),
      flagged ? el("span", { class: "flag", "aria-label": "fails a strength check", text: "⚑" }) : null,
      el("span", { class: "interval", text: interval(name, mean).replace(" to ", " – ") }),
    );
  }

  /** The mean with its interval as a whisker, on a scale all rows share. */
  function average(name, found, shown, low, high) {
    if (!found.mean) return el("span", { class: "none", title: found.row.partial, text: DASH });
    const [value, from, to] = found.mean;
    const at = (x) => `${(100 * (x - low)) / (high - low || 1)}%`;
    const tag = shown.length === 1 ? { href: address(found.index, shown[0].index, name) } : {};
    return el(
      tag.href ? "a" : "div",
      {
        class: "average",
        ...tag,
        title: whole(found.mean)
          ? `95 % ${interval(name, found.mean)}`
          : `${fewer(found.mean)} images: not comparable`,
      },
      el("span", { class: whole(found.mean) ? "value strong" : "value", text: number(name, value) }),
      whole(found.mean) ? null : el("span", { class: "fewer", text: ` (${fewer(found.mean)})` }),
      el(
        "span",
        { class: "whisker", "aria-hidden": true },
        from === null
          ? null
          : el("i", { class: "bar", style: { left: at(from), right: `${100 - parseFloat(at(to))}%` } }),
        whole(found.mean) ? el("i", { class: "dot", style: { left: at(value) } }) : null,
      ),
      el("span", { class: "interval", text: interval(name, found.mean).replace(" to ", " – ") }),
    );
  }

  function rank(found) {
    if (!found.rank)
      return el("span", {
        class: "none",
        title: found.row.partial ? `not ranked: ${found.row.partial}` : "",
        text: DASH,
      });
    const [place, low, high] = found.rank;
    const range = low === undefined || low === high ? "" : `${low}–${high}`;
    const words = range ? `rank ${place}; from ${low} to ${high} within the uncertainty` : `rank ${place}`;
    return el(
      "span",
      { class: "rank", title: words },
      el("b", { text: place }),
      el("span", { class: "interval", text: range }),
    );
  }

  /** What a card links to; none where it has no address that may be followed. */
  function links(row) {
    const card = data.models[row.about];
    const made = [
      ["paper", card.paper],
      ["project", card.homepage],
    ]
      .filter(([, href]) => href)
      .map(([text, href]) =>
        el("a", { href, rel: "noreferrer", "aria-label": `${text} of ${row.title}`, text }),
      )
      .filter((link) => link.hasAttribute("href"));
    return made.length ? el("span", { class: "links" }, made) : null;
  }

  function model(found) {
    const { row } = found;
    return el(
      "span",
      { class: "model" },
      el("b", { text: row.title }),
      el("code", { text: row.label }),
      links(row),
      row.partial ? el("span", { class: "tag", title: row.partial, text: "partial" }) : null,
    );
  }

  const count = (n) =>
    n >= 1e6 ? `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)} M` : n >= 1e3 ? `${(n / 1e3).toFixed(1)} k` : `${n}`;
  const seconds = (s) => (s < 0.1 ? `${(1000 * s).toPrecision(2)} ms` : `${s.toPrecision(2)} s`);
  return { cell, average, rank, model, count, seconds };
})();
