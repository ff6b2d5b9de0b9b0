// A block on the board ("lunch", "training"): a drag over free time of a barber, by mouse, opens the form of an
// absence with its times. A press without a drag books, as ever; the form is there for all who use no mouse.
(() => {
  "use strict";

  const ROW = 5 * 60 * 1000; // ms
  const QUARTER = 3; // rows
  const DRAG_AFTER = 8; // px

  let drawn = null; // { column, ghost, from, until, y, isDragged }

  const board = () => document.querySelector(".board");
  const rowsOf = () => Number(board().dataset.rows);

  function rowAt(column, y) {
    const { top, height } = column.getBoundingClientRect();
    const row = (y - top) / (height / rowsOf());
    return Math.max(0, Math.min(row, rowsOf()));
  }

  function timeAt(column, row) {
    return new Date(Date.parse(column.dataset.begins ?? board().dataset.begins) + row * ROW);
  }

  function draw() {
    const { column, ghost, from, until } = drawn;
    const { zone, locale } = board().dataset;
    const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: zone });
    const rows = until - from;
    ghost.className = `block is-ghost lane-0 of-1 at-h${Math.floor(from / 12)} at-m${from % 12} for-h${Math.floor(rows / 12)} for-m${rows % 12}`;
    ghost.textContent = `${column.dataset.name} away, ${clock.format(timeAt(column, from))} – ${clock.format(timeAt(column, until))}`;
    if (!ghost.isConnected) column.append(ghost);
  }

  function press(event) {
    const column = event.target.closest(".board-rows[data-block]");
    const isTaken = event.target.closest(".block, .trace");
    if (!column || isTaken || event.button !== 0 || event.pointerType !== "mouse") return;
    const start = Math.floor(rowAt(column, event.clientY) / QUARTER) * QUARTER;
    const ghost = document.createElement("div");
    ghost.setAttribute("aria-hidden", "true");
    drawn = { column, ghost, start, y: event.clientY, isDragged: false };
  }

  function follow(event) {
    if (!drawn) return;
    if (!drawn.isDragged && Math.abs(event.clientY - drawn.y) < DRAG_AFTER) return;
    drawn.isDragged = true;
    const row = rowAt(drawn.column, event.clientY);
    drawn.from = Math.min(drawn.start, Math.floor(row / QUARTER) * QUARTER);
    drawn.until = Math.max(drawn.start + QUARTER, Math.ceil(row / QUARTER) * QUARTER);
    drawn.until = Math.min(drawn.until, rowsOf());
    document.body.classList.add("is-dragging");
    draw();
  }

  function drop() {
    if (!drawn) return;
    const { column, from, until, isDragged } = drawn;
    end();
    if (!isDragged) return;
    // The click that follows would book the time under it.
    const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 50);
    const times = new URLSearchParams({ from: timeAt(column, from).toISOString(), until: timeAt(column, until).toISOString() });
    location.assign(`${document.documentElement.dataset.base}settings/barbers/${encodeURIComponent(column.dataset.barber)}/absences?${times}`);
  }

  function end() {
    drawn?.ghost.remove();
    document.body.classList.remove("is-dragging");
    drawn = null;
  }

  document.addEventListener("pointerdown", press);
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", end);
  document.addEventListener("keydown", (event) => {
    if (drawn && event.key === "Escape") end();
  });
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.(".slot")) event.preventDefault();
  });
})();
