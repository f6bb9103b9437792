// The image explorer: the same crop of every model, worst images first.
"use strict";
srbench.explorer = (() => {
  const { data, el, select, board, state, query, metric, heading, titled, address, load, DASH, MARKS } =
    srbench;
  const { view, picture, buttons, mount } = srbench.panes;
  const { slider } = srbench.slider;
  const choice = { set: null, image: 0, attack: 0, input: false, left: "", right: "" };
  const entries = () => data.explorer.filter((e) => e.board === state.board && e.dataset === choice.set);
  let turn = 0;

  const input = (attack) =>
    board().attacks[attack].group === "clean" ? "clean" : board().attacks[attack].name;

  /** What an image's models were measured from and against: LR and bicubic where no model is bicubic, and HR. */
  function references(entry) {
    const measured = Object.keys(entry.inputs[choice.attack].sr).some(
      (row) => board().rows[row].model === "bicubic",
    );
    const clean = input(choice.attack) === "clean";
    return {
      lr: entry.lr && { id: "lr", name: clean ? "LR" : "LR before the attack", file: entry.lr, small: true },
      bicubic:
        !measured && clean && entry.bicubic ? { id: "bicubic", name: "Bicubic", file: entry.bicubic } : null,
      hr: entry.hr && { id: "hr", name: "HR", file: entry.hr },
    };
  }

  /** The SR of every model under an input, bicubic first, or the LR each was given. */
  function outputs(entry, attack, given) {
    const { sr, lr } = entry.inputs[attack];
    const first = (row) => board().rows[row].model === "bicubic";
    return Object.keys(sr)
      .map(Number)
      .sort((a, b) => first(b) - first(a) || a - b)
      .map((row) => ({
        id: `${board().attacks[attack].name}:${board().rows[row].name}`,
        attack,
        row,
        name: titled(board().rows[row]),
        file: (given && lr[row]) || sr[row],
        small: Boolean(given && lr[row]),
      }));
  }

  /** The pictures of an image under the chosen input, in the order they are shown. */
  function pictures(entry) {
    const { lr, bicubic, hr } = references(entry);
    return [lr, bicubic, ...outputs(entry, choice.attack, choice.input), hr].filter(Boolean);
  }

  /** Every picture of an image that two can be chosen of: all models under all inputs. */
  function everything(entry) {
    const { lr, bicubic, hr } = references(entry);
    const inputs = Object.keys(entry.inputs).map(Number);
    const of = (attack) =>
      outputs(entry, attack, false).map((p) =>
        inputs.length > 1 ? { ...p, name: `${p.name}, ${input(attack)}` } : p,
      );
    return [lr, bicubic, ...inputs.flatMap(of), hr].filter(Boolean);
  }

  /** The column of an image under the chosen input. */
  const place = (entry) =>
    board().columns.findIndex((c) => c.dataset === entry.dataset && c.attack === choice.attack);

  /** What was measured of this image, by row and metric, and the address of its record. */
  async function numbers(entry) {
    const column = place(entry);
    const chunk = await load(board().columns[column].chunk);
    const index = chunk.images.indexOf(entry.image);
    return (row, name) => {
      const whole = chunk.rows[row]?.values[name]?.[index] ?? null;
      return whole === null ? null : { whole, href: address(row, column, name, state.board, index) };
    };
  }

  function caption(row, of) {
    const names = [
      ...new Set([
        board().rank_by,
        ...["psnr", "lpips", "ssim"].filter((n) => board().metrics.includes(n)),
        ...board().metrics,
      ]),
    ].slice(0, 3);
    return el(
      "span",
      { class: "metrics" },
      names.map((name) => {
        const found = of(row, name);
        const text = `${metric(name).title} ${found ? srbench.record.scaled(name, found.whole) : DASH}`;
        return found ? el("a", { href: found.href, text }) : el("span", { text });
      }),
    );
  }

  function panes(entry, shape, of) {
    return pictures(entry).map((p) => {
      const mark = p.row === undefined ? "" : board().rows[p.row].marks[place(entry)];
      return el(
        "figure",
        { class: `pane ${mark}` },
        view(p.name, shape, picture(p.file, `${p.name}, ${entry.image}`, p.small ? "small" : "")),
        el(
          "figcaption",
          {},
          el("b", {}, p.name, mark ? el("span", { class: "mark", text: ` ${MARKS[mark]}` }) : null),
          p.row !== undefined ? caption(p.row, of) : null,
        ),
      );
    });
  }

  /** Two pictures for the slider: those that were chosen, else the first and the best model under the input. */
  function pairOf(entry) {
    const shown = everything(entry);
    const find = (id) => shown.find((p) => p.id === id);
    // Rows are in the order of the ranking: the first that is not bicubic is the best model.
    const models = shown.filter((p) => p.attack === choice.attack);
    const best = models.find((p) => board().rows[p.row].model !== "bicubic") ?? models.at(-1);
    const options = shown.map((p) => [p.id, p.name]);
    return { options, left: find(choice.left) ?? shown[0], right: find(choice.right) ?? best };
  }

  /** Takes what the address says, as far as there is such an image. */
  function restore() {
    const named = (list, of, name) =>
      Math.max(
        0,
        list.findIndex((item) => of(item) === query.get(name)),
      );
    const sets = [...new Set(data.explorer.filter((e) => e.board === state.board).map((e) => e.dataset))];
    choice.set = sets[named(sets, (i) => board().datasets[i].title, "explorer-set")];
    choice.image = named(entries(), (entry) => entry.image, "explorer-image");
    choice.attack = named(board().attacks, (attack) => attack.name, "explorer-attack");
    choice.left = query.get("slider-left");
    choice.right = query.get("slider-right");
    return sets;
  }
  /** Puts a choice into the address and shows it. */
  const hold = (name) => (value) => {
    query.set({ [name]: value });
    restore();
    show();
  };

  async function show() {
    const mine = ++turn;
    const entry = entries()[choice.image];
    if (!entry.inputs[choice.attack]) choice.attack = Number(Object.keys(entry.inputs)[0]);
    document
      .querySelectorAll("#explorer-strip button")
      .forEach((button, i) => button.setAttribute("aria-pressed", String(i === choice.image)));
    const of = await numbers(entry).catch(() => () => null);
    if (mine !== turn) return; // another image was chosen while the numbers were on their way
    const shape = `${entry.box[2]} / ${entry.box[3]}`;
    const attacks = Object.keys(entry.inputs).map((i) => [board().attacks[i].name, input(i)]);
    const pair = pairOf(entry);
    const hasInputs = Object.keys(entry.inputs[choice.attack].lr).length > 0;
    const [x, y, w, h] = entry.box;
    const stage = el(
      "div",
      { class: "stage" },
      el(
        "div",
        { class: "controls" },
        select(
          "Input",
          "explorer-attack",
          attacks,
          board().attacks[choice.attack].name,
          hold("explorer-attack"),
        ),
        hasInputs
          ? el(
              "label",
              { class: "check" },
              el("input", {
                type: "checkbox",
                id: "show-input",
                checked: choice.input,
                onchange: (e) => {
                  choice.input = e.target.checked;
                  show();
                },
              }),
              "show each model’s attacked LR",
            )
          : null,
        buttons(),
      ),
      el("p", {
        class: "small",
        text: `${entry.image}: ${w} × ${h} pixels at ${x}, ${y} of ${entry.size.join(" × ")}${w * h < entry.size[0] * entry.size[1] ? ", where the error is largest" : ""}. All pictures zoom and move together.`,
      }),
      el("div", { class: "panes" }, panes(entry, shape, of)),
      el("h3", { text: "Before and after" }),
      el(
        "div",
        { class: "controls" },
        select("Left", "slider-left", pair.options, pair.left.id, hold("slider-left")),
        select("Right", "slider-right", pair.options, pair.right.id, hold("slider-right")),
      ),
      slider(shape, pair.left, pair.right),
    );
    const focused = document.activeElement.id;
    document.getElementById("explorer-stage").replaceChildren(stage);
    mount(stage);
    if (!document.activeElement.id && focused)
      document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function strip() {
    return el(
      "div",
      { class: "strip", id: "explorer-strip", role: "group", "aria-label": "Images, worst first" },
      entries().map((entry, i) => {
        const first = entry.inputs[Object.keys(entry.inputs)[0]].sr;
        const file = entry.hr || first[Object.keys(first)[0]];
        return el(
          "button",
          {
            type: "button",
            "aria-pressed": "false",
            title: entry.image,
            onclick: () => hold("explorer-image")(i ? entry.image : ""),
          },
          el("img", { src: `images/${file}`, alt: "" }),
          el("span", { text: `${i + 1}. ${entry.image}` }),
        );
      }),
    );
  }

  /** Shows an image of a set under an attack, or under one that was kept. */
  function open(set, image, attack) {
    query.set({
      "explorer-set": board().datasets[set].title,
      "explorer-image": image,
      "explorer-attack": board().attacks[attack].name,
    });
    draw();
    document.getElementById("images").scrollIntoView();
    document.querySelectorAll("#explorer-strip button")[choice.image].focus({ preventScroll: true });
  }

  function draw() {
    const body = document.getElementById("explorer-body");
    if (!data.explorer.some((e) => e.board === state.board)) {
      body.replaceChildren(
        el("p", { text: "No pictures were kept. To have them here:" }),
        ...srbench.commands.fill("pictures"),
      );
      return;
    }
    const titles = restore().map((i) => board().datasets[i].title);
    body.replaceChildren(
      el(
        "div",
        { class: "controls" },
        select(
          "Data set",
          "explorer-set",
          titles.map((title) => [title, title]),
          board().datasets[choice.set].title,
          (title) => {
            query.set({ "explorer-set": title, "explorer-image": "" });
            draw();
            document.getElementById("explorer-set").focus();
          },
        ),
      ),
      el("p", {
        class: "small",
        text: `Worst images first, by ${heading(board().rank_by)} over all models and inputs.`,
      }),
      strip(),
      el("div", { id: "explorer-stage" }),
    );
    show();
  }
  return { draw, open };
})();
