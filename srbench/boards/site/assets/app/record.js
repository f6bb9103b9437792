// Where a number comes from: the record behind it, as a dialog with an address of its own.
"use strict";
srbench.record = (() => {
  const { copyable } = srbench.commands;
  const { data, el, plainTable, load, number, heading, interval, whole, fewer, metric, titled, DASH, MARK_WORDS } = srbench;
  const dialog = document.getElementById("record");
  let back = "#ranking";

  const fact = (name, value) =>
    value === "" || value === null || value === undefined
      ? []
      : [el("dt", { text: name }), el("dd", {}, value)];

  function means(board, row, place, cell) {
    const rows = board.metrics
      .filter((name) => board.means[name][row][place])
      .map((name) => {
        const mean = board.means[name][row][place];
        const saved = cell.saved[name];
        return el(
          "tr",
          {},
          el("th", { scope: "row", text: heading(name) }),
          el("td", { class: "strong", text: number(name, mean[0]) }),
          el("td", { text: interval(name, mean) }),
          el("td", { text: whole(mean) ? mean[3] : fewer(mean) }),
          saved === undefined ? null : el("td", { text: number(name, saved) }),
        );
      });
    const heads = ["Metric", "Mean", "95 % interval", "Images"];
    if (Object.keys(cell.saved).length) heads.push("As 8-bit file");
    return el("div", { class: "scroll" }, plainTable(heads, rows));
  }

  /** Every image of the cell, worst by the metric first, before it those on which it is undefined; open at the
      image that was asked for. */
  function images(chunk, cell, name, chosen) {
    const names = Object.keys(cell.values);
    const by = names.includes(name) ? name : names[0];
    const order = chunk.images
      .map((_, index) => index)
      .filter((index) => names.some((n) => cell.values[n][index] !== null));
    const undefinedAt = (index) => cell.values[by][index] === null;
    order.sort(
      (a, b) =>
        undefinedAt(b) - undefinedAt(a) ||
        (cell.values[by][a] - cell.values[by][b]) * (metric(by).higher ? 1 : -1),
    );
    const table = plainTable(
      ["Image", ...names.map(heading)],
      order.map((index) =>
        el(
          "tr",
          { class: index === chosen ? "chosen" : null },
          el("th", { scope: "row", text: chunk.images[index] }),
          names.map((n) => el("td", { text: scaled(n, cell.values[n][index]) })),
        ),
      ),
    );
    return el(
      "details",
      { open: chosen !== null },
      el("summary", { text: `All ${order.length} images, worst ${metric(by).title} first` }),
      el("div", { class: "scroll tall" }, table),
    );
  }
  const scaled = (name, whole) =>
    whole === null ? DASH : (whole / 10 ** metric(name).decimals).toFixed(metric(name).decimals);

  function fill(index, row, place, name, chosen, chunk) {
    const board = data.boards[index];
    const column = board.columns[place];
    const cell = chunk.rows[row];
    const model = board.rows[row];
    const attack = board.attacks[column.attack];
    const set = board.datasets[column.dataset];
    const card = data.models[model.about];
    const software = cell.software.map((i) => chunk.software[i]);
    const versions = (tools) =>
      Object.entries(tools.versions)
        .map(([k, v]) => `${k} ${v}`)
        .join(", ");
    const size = chunk.sizes.map((s) => s.join(" × "));
    const sizes = [...new Set(size)];
    const flags = Object.entries(cell.flags);
    dialog.replaceChildren(
      el(
        "div",
        {},
        el(
          "form",
          { method: "dialog", class: "dialog-head" },
          el("h2", {
            id: "record-title",
            text: `${titled(model, board)} on ${column.title}${attack.group === "clean" ? "" : `, ${attack.name}`}`,
          }),
          el("button", { class: "close", "aria-label": "Close", text: "✕" }),
        ),
        el("p", { class: "lead", text: `${model.label}: ${MARK_WORDS[model.marks[place]]}.` }),
        flags.length
          ? el(
              "div",
              { class: "warning" },
              el("strong", { text: "⚑ Failed strength checks" }),
              flags.map(([check, found]) =>
                el("p", { text: `${check}: ${found.length} images, ${found[0]}` }),
              ),
            )
          : null,
        means(board, row, place, cell),
        cell.notes.length
          ? el(
              "ul",
              {},
              cell.notes.map((text) => el("li", { text })),
            )
          : null,
        el("h3", { text: "Measure it again" }),
        cell.command ? el("pre", {}, copyable(cell.command, "the command")) : null,
        cell.remarks.map((text) => el("p", { class: "small", text })),
        el("h3", { text: "Provenance" }),
        el(
          "dl",
          {},
          fact(
            "Weights sha256",
            model.weights ? copyable(model.weights, "the hash") : "none: nothing was learned",
          ),
          fact("Data set", `${set.name} (${set.domain}), ${cell.n} of ${column.of} images`),
          fact("Data hash", copyable(set.hash, "the hash")),
          fact(
            "Protocol",
            `${board.protocol}, ${board.kind === "paired" ? "against ground truth" : "without ground truth"}`,
          ),
          fact("Scale", `×${board.scale}`),
          fact("Protocol hash", copyable(board.protocol_hash, "the hash")),
          fact("Attack", attack.name),
          chunk.attack_hash ? fact("Attack hash", copyable(chunk.attack_hash, "the hash")) : [],
          cell.settings
            ? fact(
                "Attack settings",
                el(
                  "details",
                  {},
                  el("summary", { text: "Every setting" }),
                  el("pre", { text: JSON.stringify(cell.settings, null, 1) }),
                ),
              )
            : [],
          fact(
            "Effect on LR",
            cell.effect.lr_psnr === undefined
              ? ""
              : `PSNR of clean against attacked LR ${cell.effect.lr_psnr.toFixed(2)} dB, largest change ${cell.effect.lr_max} of 255`,
          ),
          fact("LR sizes", sizes.length > 4 ? `${sizes.length} sizes` : sizes.join(", ")),
          fact("Time", `${cell.seconds} s an image`),
          fact("Measured", [...new Set(cell.created)].join(" to ")),
          software.map((tools) => [
            fact("Device", tools.device),
            fact("Versions", versions(tools)),
            fact("Commit", tools.commit),
          ]),
          fact("Licence of the weights", card.licence),
          fact("Citation", card.citation),
          fact("About", card.notes),
          ["paper", "homepage"].map((name) =>
            card[name]
              ? fact(name === "paper" ? "Paper" : "Project", el("a", { href: card[name], rel: "noreferrer", text: card[name] }))
              : [],
          ),
        ),
        images(chunk, cell, name, chosen),
      ),
    );
  }

  /** Opens the dialog where the address names a record. */
  async function route() {
    const match = /^#record\/(\d+)\/(\d+)\/(\d+)\/(\w+)(?:\/(\d+))?$/.exec(location.hash);
    if (!match) {
      if (dialog.open) dialog.close();
      return;
    }
    const [index, row, place] = match.slice(1, 4).map(Number);
    const column = data.boards[index]?.columns[place];
    if (!column || !data.boards[index].rows[row]) return;
    try {
      const chunk = await load(column.chunk);
      if (!chunk.rows[row]) return;
      fill(index, row, place, match[4], match[5] === undefined ? null : Number(match[5]), chunk);
    } catch (error) {
      dialog.replaceChildren(
        el(
          "form",
          { method: "dialog" },
          el("h2", { id: "record-title", text: error.message }),
          el("button", { text: "Close" }),
        ),
      );
    }
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    dialog.querySelector(".chosen")?.scrollIntoView({ block: "center" });
  }
  dialog.addEventListener("close", () => {
    // The address goes back without moving the page.
    if (location.hash.startsWith("#record/"))
      history.replaceState(null, "", location.pathname + location.search + back);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  addEventListener(
    "click",
    () => {
      if (!location.hash.startsWith("#record/")) back = location.hash;
    },
    true,
  );
  return { route, scaled };
})();
