// What costs time is done when it comes into view or when the browser has nothing else to do, and at the latest for
// a print: a picture of the whole page has everything.
"use strict";
srbench.later = (() => {
  const waiting = new Map();
  const run = (element) => {
    const task = waiting.get(element);
    waiting.delete(element);
    observer.unobserve(element);
    if (element.isConnected) task?.();
  };
  const observer = new IntersectionObserver(
    (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => run(entry.target)),
    { rootMargin: "200px" },
  );
  /** One at a time, so that the page answers in between. */
  const idle = (task) => (window.requestIdleCallback ? requestIdleCallback(task) : setTimeout(task, 200));
  function next() {
    const [first] = waiting.keys();
    if (!first) return;
    run(first);
    idle(next);
  }
  const all = () => [...waiting.keys()].forEach(run);
  addEventListener("load", () => idle(next));

  /** Runs a task once, unless its element has left the page before. */
  function later(element, task) {
    const asleep = waiting.size === 0;
    waiting.set(element, task);
    observer.observe(element);
    if (asleep && document.readyState === "complete") idle(next);
  }
  return Object.assign(later, { all });
})();
