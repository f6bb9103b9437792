// Runs before anything is painted, so that a dark page never flashes white.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("srbench-theme");
  } catch {
    /* storage may be forbidden */
  }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.dataset.theme = chosen || (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("srbench-theme"));
  };
  dark.addEventListener("change", apply);
  apply();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      const on = document.documentElement.dataset.theme === "dark";
      button.setAttribute("aria-pressed", String(on));
      button.querySelector(".word").textContent = on ? "Light" : "Dark";
      button.title = on ? "Switch to light colours" : "Switch to dark colours";
    };
    document.addEventListener("srbench-theme", show);
    button.addEventListener("click", () => {
      chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("srbench-theme", chosen);
      } catch {
        /* as above */
      }
      apply();
    });
    show();
  });
})();
