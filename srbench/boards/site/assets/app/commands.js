// Commands to copy, and what fills a part of the page that the records leave empty.
"use strict";
srbench.commands = (() => {
  const { el, board } = srbench;

  function copyable(text, label) {
    const button = el("button", {
      type: "button",
      class: "copy",
      text: "Copy",
      "aria-label": `Copy ${label}`,
    });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        // Without the clipboard (some browsers on file://) the text is selected for Ctrl-C.
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "Selected";
      }
    });
    return el("span", { class: "copyable" }, el("code", { text }), button);
  }

  /** What has to be run for pictures or curves to be here; exact, but for the remarks of what a reader puts in. */
  function fill(what) {
    const { text, remarks } = board().fill[what];
    if (!text) return [];
    return [
      el("pre", { class: "fill" }, copyable(text, "the command")),
      remarks.map((remark) => el("p", { class: "small", text: remark })),
      el(
        "p",
        { class: "small" },
        "Then build the page again from that store: ",
        el("code", { text: "srbench leaderboard --html DIR" }),
      ),
    ].flat();
  }
  return { copyable, fill };
})();
