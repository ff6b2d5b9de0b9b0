// What a day, a week and a month share: the present moves on, another day is picked, arrow keys turn.
(() => {
  "use strict";

  // Once a minute, if somebody looks: the present moves on though nothing changed.
  function look() {
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("board"));
  }

  setInterval(look, 60000);
  document.addEventListener("visibilitychange", look);

  // A day that was picked is shown; one that is being typed waits for Enter.
  let isTyped = false;
  document.addEventListener("keydown", (event) => { if (event.target.id === "day-date") isTyped = true; });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "day-date") return;
    if (!isTyped && event.target.value) event.target.form.requestSubmit();
    isTyped = false;
  });

  // Left and right, where they mean nothing else: from the page itself, and from the links for it.
  document.addEventListener("keydown", (event) => {
    const id = { ArrowLeft: "day-before", ArrowRight: "day-after" }[event.key];
    if (!id || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (document.activeElement !== document.body && !event.target.closest?.("#day-nav")) return;
    if (document.body.classList.contains("is-moving")) return;
    event.preventDefault();
    document.getElementById(id).click();
  });
})();
