// The image explorer: the same crop of every model, worst images first.
"use strict";
srbench.explorer = (() => {
  const { data, el, select, board, state, metric, heading, titled, address, load, DASH, MARKS } = srbench;
  const { view, picture, buttons, mount } = srbench.panes;
  const { slider } = srbench.slider;
  const choice = { board: null, set: null, image: 0, attack: 0, input: false, left: null, right: null };
  const entries = () => data.explorer.filter((e) => e.board === state.board && e.dataset === choice.set);
  let turn = 0;

  const input = (attack) => (board().attacks[attack].group === "clean" ? "clean" : board().attacks[attack].name);

  /** What an image's models were measured from and against: LR and bicubic where no model is bicubic, and HR. */
  function references(entry) {
    const measured = Object.keys(entry.inputs[choice.attack].sr).some((row) => board().rows[row].model === "bicubic");
    const clean = input(choice.attack) === "clean";
    return {
      lr: entry.lr && { id: "lr", name: clean ? "LR" : "LR before the attack", file: entry.lr, small: true },
      bicubic: !measured && clean && entry.bicubic ? { id: "bicubic", name: "Bicubic", file: entry.bicubic } : null,
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
        id: `${attack}:${row}`,
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
      outputs(entry, attack, false).map((p) => (inputs.length > 1 ? { ...p, name: `${p.name}, ${input(attack)}` } : p));
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
    const models = shown.filter((p) => p.id.startsWith(`${choice.attack}:`));
    const best = models.find((p) => board().rows[p.row].model !== "bicubic") ?? models.at(-1);
    const options = shown.map((p) => [p.id, p.name]);
    return { options, left: find(choice.left) ?? shown[0], right: find(choice.right) ?? best };
  }

  async function show() {
    const mine = ++turn;
    const entry = entries()[choice.image];
    if (!entry.inputs[choice.attack]) choice.attack = Number(Object.keys(entry.inputs)[0]);
    const of = await numbers(entry).catch(() => () => null);
    if (mine !== turn) return; // another image was chosen while the numbers were on their way
    const shape = `${entry.box[2]} / ${entry.box[3]}`;
    const attacks = Object.keys(entry.inputs).map((i) => [
      i,
      board().attacks[i].group === "clean" ? "clean" : board().attacks[i].name,
    ]);
    const again = (name) => (value) => {
      choice[name] = name === "attack" ? Number(value) : value;
      show();
    };
    const pair = pairOf(entry);
    const hasInputs = Object.keys(entry.inputs[choice.attack].lr).length > 0;
    const [x, y, w, h] = entry.box;
    const stage = el(
      "div",
      { class: "stage" },
      el(
        "div",
        { class: "controls" },
        select("Input", "explorer-attack", attacks, choice.attack, again("attack")),
        hasInputs
          ? el(
              "label",
              { class: "check" },
              el("input", {
                type: "checkbox",
                id: "show-input",
                checked: choice.input,
                onchange: (e) => again("input")(e.target.checked),
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
        select("Left", "slider-left", pair.options, pair.left.id, again("left")),
        select("Right", "slider-right", pair.options, pair.right.id, again("right")),
      ),
      slider(shape, pair.left, pair.right),
    );
    document.getElementById("explorer-stage").replaceChildren(stage);
    mount(stage);
    document
      .querySelectorAll("#explorer-strip button")
      .forEach((button, i) => button.setAttribute("aria-pressed", String(i === choice.image)));
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
            onclick: () => {
              choice.image = i;
              show();
            },
          },
          el("img", { src: `images/${file}`, alt: "" }),
          el("span", { text: `${i + 1}. ${entry.image}` }),
        );
      }),
    );
  }

  /** Shows an image of a set under an attack, or under one that was kept. */
  function open(set, image, attack) {
    Object.assign(choice, { set, image: 0 });
    choice.image = entries().findIndex((entry) => entry.image === image);
    if (entries()[choice.image].inputs[attack]) choice.attack = attack;
    draw();
    document.getElementById("images").scrollIntoView();
    document.querySelectorAll("#explorer-strip button")[choice.image].focus({ preventScroll: true });
  }

  function draw() {
    const body = document.getElementById("explorer-body");
    const sets = [...new Set(data.explorer.filter((e) => e.board === state.board).map((e) => e.dataset))];
    if (!sets.length) {
      body.replaceChildren(el("p", { text: "No pictures were kept. To have them here:" }), ...srbench.commands.fill("pictures"));
      return;
    }
    if (choice.board !== state.board)
      Object.assign(choice, {
        board: state.board,
        set: sets[0],
        image: 0,
        attack: 0,
        left: null,
        right: null,
      });
    body.replaceChildren(
      el(
        "div",
        { class: "controls" },
        select(
          "Data set",
          "explorer-set",
          sets.map((i) => [i, board().datasets[i].title]),
          choice.set,
          (v) => {
            Object.assign(choice, { set: Number(v), image: 0 });
            draw();
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
