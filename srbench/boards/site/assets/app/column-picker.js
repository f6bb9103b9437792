// Which columns of the ranking are shown: boxes to tick, held in the address as those that are not.
"use strict";
srbench.columnPicker = (() => {
  const { el, query } = srbench;
  const { key } = srbench.rankingColumns;
  const hidden = () => new Set(query.all("hide"));
  const shown = (columns) => columns.filter((c) => c.field === "label" || !hidden().has(key(c.field)));

  /** A list that opens; `changed` is called when a column comes or goes. */
  function picker(columns, changed) {
    const toggle = (field) => (event) => {
      const left = hidden();
      if (event.target.checked) left.delete(key(field));
      else left.add(key(field));
      query.set({ hide: [...left] });
      changed();
    };
    const box = (c) =>
      el(
        "label",
        { class: "check" },
        el("input", {
          type: "checkbox",
          value: c.field,
          checked: shown([c]).length > 0,
          disabled: c.field === "label",
          onchange: toggle(c.field),
        }),
        c.field === "place" ? "Rank" : c.title,
      );
    const list = el("fieldset", {}, el("legend", { class: "unseen", text: "Columns" }), columns.map(box));
    const opened = el("details", { id: "columns", class: "menu" }, el("summary", { text: "Columns" }), list);
    opened.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      opened.open = false;
      opened.querySelector("summary").focus();
    });
    return opened;
  }
  // Elsewhere is away from the list.
  addEventListener("pointerdown", (event) => {
    const list = document.getElementById("columns");
    if (list?.open && !list.contains(event.target)) list.open = false;
  });
  return { shown, picker };
})();
