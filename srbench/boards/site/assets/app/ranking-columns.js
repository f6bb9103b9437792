// The columns of the ranking table, as Tabulator wants them.
"use strict";
srbench.rankingColumns = (() => {
  const { el, board, metric, heading, number, whole, DASH } = srbench;
  const { cell, average, rank, model, count, seconds } = srbench.cells;
  const { choice, columns, best } = srbench.rankingRows;

  /** What the address calls a column, on this page and on one of more data sets. */
  const key = (field) => (/^c\d+$/.test(field) ? `on:${board().columns[Number(field.slice(1))].title}` : field);

  /** A heading that the keyboard reaches: Enter on it sorts, as a click does. */
  const title = (text, about) => () => el("button", { type: "button", class: "sort", title: about, text });
  const column = (field, text, about, more = {}) => ({
    field,
    title: text,
    titleFormatter: title(text, about),
    sorter: "number",
    hozAlign: "right",
    headerHozAlign: "right",
    sorterParams: { alignEmptyValues: "bottom" },
    resizable: false,
    ...more,
  });

  function definition(found) {
    const name = choice.metric;
    const start = metric(name).higher ? "desc" : "asc";
    const ends = found.flatMap((f) => (f.mean && whole(f.mean) ? [f.mean[1] ?? f.mean[0], f.mean[2] ?? f.mean[0]] : []));
    const low = Math.min(...ends),
      high = Math.max(...ends);
    const of = (formatter) => (c) => formatter(c.getRow().getData());
    const plain = (format) => (c) => (c.getValue() === null ? DASH : format(c.getValue()));
    const shown = columns();
    const narrow = matchMedia("(max-width: 640px)").matches;
    const made = [
      column("place", "#", "Rank; beneath it the ranks the uncertainty allows", {
        formatter: of(rank),
        width: narrow ? 46 : 64,
        frozen: true,
        hozAlign: "center",
        headerHozAlign: "center",
      }),
      column("label", "Model", "Model", {
        formatter: of(model),
        sorter: "string",
        hozAlign: "left",
        headerHozAlign: "left",
        frozen: true,
        minWidth: narrow ? 128 : 176,
        widthGrow: 2,
        width: narrow ? 128 : undefined,
      }),
      column("trained", "Trained for", "The degradation the model was trained for", {
        formatter: (c) => el("span", { class: "chip", text: c.getValue() }),
        sorter: "string",
        hozAlign: "left",
        headerHozAlign: "left",
        minWidth: 98,
      }),
    ];
    const main = column(
      "average",
      shown.length > 1 ? `${heading(name)} mean` : heading(name),
      "Mean over the data sets with its 95 % interval",
      {
        formatter: of((f) => average(name, f, shown, low, high)),
        headerSortStartingDir: start,
        minWidth: 144,
        widthGrow: 2,
        hozAlign: "left",
        headerHozAlign: "left",
      },
    );
    made.splice(2, 0, main);
    if (shown.length > 1) {
      made.push(
        column("worst", "Worst", "The worst data set's mean", {
          formatter: of((f) => (f.worst === null ? DASH : cell(name, f.index, f.worstAt, null))),
          headerSortStartingDir: start,
          minWidth: 110,
        }),
      );
    }
    if (found.some((f) => f.gap !== null)) {
      made.push(
        column(
          "gap",
          "Gap",
          "Generalization gap: mean on sets the model was not trained for minus mean on the set it was",
          {
            formatter: plain((v) => (v > 0 ? "+" : v < 0 ? "−" : "") + number(name, Math.abs(v))),
            headerSortStartingDir: start,
            minWidth: 72,
          },
        ),
      );
    }
    if (shown.length > 1) {
      for (const c of shown) {
        const top = best(name, c.index);
        const full = c.images < c.of ? `, ${c.images} of ${c.of} images` : "";
        made.push(
          column(
            `c${c.index}`,
            c.title,
            `${heading(name)} on ${c.title} (${board().datasets[c.dataset].domain}${full})`,
            {
              formatter: of((f) => cell(name, f.index, c.index, top)),
              headerSortStartingDir: start,
              minWidth: 110,
              cssClass: "domain",
            },
          ),
        );
      }
    }
    const costs = [
      ["parameters", "Params", "Number of parameters", count],
      ["mac", "MAC / LR px", "Multiply-accumulate operations per LR pixel, counted on its graph", count],
      ["seconds", "Time", "Seconds an image, as recorded; compare only rows of one device", seconds],
      ["memory", "Memory", "Peak memory: most bytes in tensors at once for an LR of 64 × 64, counted; a device takes more", (v) => `${v.toPrecision(3)} MiB`],
    ];
    for (const [field, text, about, format] of costs) {
      if (found.some((f) => f[field] !== null))
        made.push(
          column(field, text, about, {
            formatter: plain(format),
            minWidth: { seconds: 68, memory: 88 }[field] ?? 80,
          }),
        );
    }
    return made;
  }
  return { definition, key };
})();
