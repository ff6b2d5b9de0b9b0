// The booking form: what is chosen survives new free times, a known customer fills what is empty,
// and one click saves once. Everything also works without it.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const form = () => byId("booking-form");
  const radios = () => [...form().querySelectorAll('input[name="time"]')];

  // The time, whether a chip offers it or not; 02:30-2 is the second 02:30 of a night.
  let chosen = "";

  function note() {
    const radio = radios().find((each) => each.checked);
    const turn = form().querySelector('input[name="turn"]:checked')?.value;
    const other = () => [byId("other_time").value, turn].filter(Boolean).join("-");
    chosen = radio?.value === "other" ? other() : radio?.value ?? chosen;
  }

  // New free times came. Without a chip for the chosen time it moves to the field beside them.
  function choose() {
    const [time] = chosen.split("-");
    const chips = radios().filter((each) => each.value.split("-")[0] === time);
    const chip = chips.find((each) => each.value === chosen) ?? chips[0];
    const isTyped = document.activeElement.closest(".other-time");
    if (isTyped) byId("time-other").checked = true; // else its field would go out of sight
    if (isTyped || !chosen) return;
    if (chip) chip.checked = true;
    else {
      byId("time-other").checked = true;
      byId("other_time").value = time;
    }
  }

  // Only what is empty, or was filled in for the number before; never below somebody's fingers.
  function fill() {
    const known = byId("known").querySelector("[data-name]");
    for (const name of ["name", "email"]) {
      const field = byId(name);
      const value = known?.dataset[name] ?? "";
      const isOurs = field.dataset.filled && field.value === field.dataset.filled;
      const isHere = field === document.activeElement;
      if ((isHere && field.dataset.typed) || (field.value && !isOurs)) continue;
      field.value = value;
      field.dataset.filled = value;
      if (isHere) field.select(); // whoever types another name types over it
    }
  }

  function requireWhatApplies() {
    for (const name of ["day", "time"]) byId(`other_${name}`).required = byId(`${name}-other`).checked;
    for (const tick of byId("outcome").querySelectorAll("input")) tick.required = true;
  }

  // A preview of what is no longer there is not shown: the next one is asked for in a moment. Nor is
  // one that comes while a button is pressed, which it would move away from below the pointer.
  let asked = null; // the request whose answer is still of what is typed and chosen
  let pressed = false;
  let missed = false; // a preview came meanwhile

  document.addEventListener("pointerdown", (event) => {
    pressed = Boolean(event.target.closest(".summary .actions"));
  });

  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      pressed = false;
      setTimeout(askAgain); // once it is known whether the press saves
    });
  }

  function askAgain() {
    if (missed && form() && !byId("save").disabled) {
      byId("known").dispatchEvent(new Event("change", { bubbles: true }));
    }
    missed = false;
  }

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (form()?.contains(ctx.sourceElement)) asked = ctx;
  });

  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    if (!form()?.contains(ctx.sourceElement)) return;
    missed ||= pressed && ctx === asked;
    if (pressed || ctx !== asked) event.preventDefault();
  });

  document.addEventListener("input", (event) => {
    if (!form() || event.target.form !== form()) return;
    asked = null;
    event.target.dataset.typed = "yes";
    if (event.target.id.startsWith("day-2")) byId("other_day").value = event.target.value;
    note();
    requireWhatApplies();
  });

  // By pointer only: whoever walks the times by arrow keys stays among them.
  document.addEventListener("click", (event) => {
    const other = { "day-other": "other_day", "time-other": "other_time" }[event.target.id];
    if (other && event.detail) byId(other).focus();
  });

  document.addEventListener("htmx:after:swap", () => {
    if (!form()) return;
    choose();
    fill();
    requireWhatApplies();
  });

  document.addEventListener("submit", (event) => {
    if (event.target === form()) byId("save").disabled = true;
  });

  // Back from the next page, the browser shows this one as it was left.
  addEventListener("pageshow", () => {
    if (!form()) return;
    byId("save").disabled = false;
    note();
    requireWhatApplies();
  });
})();
