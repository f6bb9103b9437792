// What every part of the page uses: the data, the chosen board, numbers as text, elements, chunks.
"use strict";
const srbench = (() => {
  const data = window.srbenchData;
  const DASH = "–";
  const MARKS = { "in-domain": "●", "out-of-domain": "○", generalist: "◆", "": "" };
  const MARK_WORDS = {
    "in-domain": "trained for this degradation",
    "out-of-domain": "trained for another degradation",
    generalist: "trained for no degradation in particular",
    "": "no training domain known",
  };
  const SVG = new DOMParser().parseFromString("<svg>", "text/html").querySelector("svg").namespaceURI;
  const state = { board: 0 };

  const board = () => data.boards[state.board];
  const metric = (name) => data.metrics[name];
  const heading = (name) => `${metric(name).title} ${metric(name).higher ? "↑" : "↓"}`;
  const number = (name, value, digits = metric(name).decimals) =>
    value === null || value === undefined ? DASH : value.toFixed(digits);
  /** A single image has no interval. */
  const interval = (name, mean) =>
    !mean ? "" : mean[1] === null ? DASH : `${number(name, mean[1])} to ${number(name, mean[2])}`;
  /** Whether a mean is over every image it should be; one that is not is never best and has no rank. */
  const whole = (mean) => mean[3] >= mean[4];
  /** "2 of 4" where a mean is over fewer images than the others', else nothing. */
  const fewer = (mean) => (whole(mean) ? "" : `${mean[3]} of ${mean[4]}`);
  /** Whether a is better than b. */
  const better = (name, a, b) => (metric(name).higher ? a > b : a < b);

  /** Places on this page, files beside it, and http(s): what a link may lead to. */
  const LEADS = /^(#|vendor\/|https?:\/\/)/i;

  /** An element with attributes (`on…` are listeners, `class`, `text`) and children; text is never markup. */
  const el = (tag, ...content) => fill(document.createElement(tag), ...content);
  /** The same of a drawing. */
  const svg = (tag, ...content) => fill(document.createElementNS(SVG, tag), ...content);
  function fill(made, attributes = {}, ...children) {
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "href" && !LEADS.test(value)) continue;
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (key === "text") made.textContent = value;
      else if (key === "style") for (const [k, v] of Object.entries(value)) made.style.setProperty(k, v);
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return made;
  }

  /** A labelled choice. Options are [value, text] pairs. */
  function select(label, id, options, value, change) {
    const box = el(
      "select",
      { id, onchange: (event) => change(event.target.value) },
      options.map(([key, text]) => el("option", { value: key, text })),
    );
    box.value = String(value);
    return el("label", { class: "field" }, el("span", { text: label }), box);
  }

  /** A table of rows (tr) under headings, which are texts. */
  function plainTable(heads, rows) {
    const head = el(
      "tr",
      {},
      heads.map((text) => el("th", { scope: "col", text })),
    );
    return el("table", { class: "plain" }, el("thead", {}, head), el("tbody", {}, rows));
  }

  const waiting = new Map();
  const loaded = new Map();
  /** The numbers of single images and the provenance of a column, loaded once, by a script tag: a page
      opened from a disk may load scripts and nothing else. */
  function load(name) {
    if (loaded.has(name)) return Promise.resolve(loaded.get(name));
    if (!waiting.has(name)) {
      let done;
      const promise = new Promise((resolve, reject) => {
        done = resolve;
        const failed = () => {
          waiting.delete(name);
          reject(new Error(`data/${name}.js is missing`));
        };
        document.head.append(el("script", { src: `data/${name}.js`, onerror: failed }));
      });
      waiting.set(name, { promise, done });
    }
    return waiting.get(name).promise;
  }
  function chunk(name, content) {
    loaded.set(name, content);
    waiting.get(name)?.done(content);
  }

  /** A model's title, with its name where two of the board's models share the title. */
  const titled = (row, b = board()) =>
    b.rows.some((other) => other !== row && other.title === row.title) && row.title !== row.label
      ? `${row.title} (${row.label})`
      : row.title;

  /** The address of a number: opens its record, at one of its images if that is given by its place. */
  const address = (row, column, name, at = state.board, image = null) =>
    `#record/${at}/${row}/${column}/${name}${image === null ? "" : `/${image}`}`;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  return {
    data,
    DASH,
    MARKS,
    MARK_WORDS,
    board,
    state,
    metric,
    heading,
    number,
    interval,
    whole,
    fewer,
    better,
    el,
    svg,
    select,
    plainTable,
    titled,
    load,
    chunk,
    address,
    colour,
  };
})();
