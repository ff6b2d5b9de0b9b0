// Moving bookings on the board: by drag, by keyboard, by the buttons of the move bar. A ghost shows
// where it would be; what it would change is asked from the server (#move-dialog) before it is kept.
// Nothing is placed by inline style: classes say the rows (static/css/today/board.css).
(() => {
  "use strict";

  const ROW = 5 * 60 * 1000; // ms
  const QUARTER = 3; // rows
  const DRAG_AFTER = 5; // px, with a mouse
  const HOLD_FOR = 350; // ms, with a finger: until then it scrolls
  const EDGE = { x: 40, y: 70 }; // px from the edge of what is seen of the board: there dragging scrolls
  const FASTEST = 8; // px a frame
  const PLACE = `board ${location.pathname}${location.search}`; // where it was scrolled to

  let pressed = null; // a block under the pointer, not moved yet: { block, x, y, id, timer }
  let held = null; // what is being moved: { block, ghost, row, column, grip, by, id, refocus }
  // held.by is who moves it: the pointer, the keys, or nobody while the dialog asks.
  let isStale = false; // the board changed while a booking was held

  const byId = (id) => document.getElementById(id);
  const board = () => document.querySelector(".board");
  const columns = () => [...document.querySelectorAll(".board-rows[data-open]")];
  const say = (text) => { byId("board-status").textContent = text; };

  // --- rows, times and places ---

  // Where the columns are days, each begins at a time of its own.
  const dayOf = (column) => column.dataset.begins;

  function timeAt(row, column) {
    return new Date(Date.parse(dayOf(column) ?? board().dataset.begins) + row * ROW);
  }

  function inWords(row, column) {
    const { zone, locale } = board().dataset;
    const write = (style) => new Intl.DateTimeFormat(locale, { ...style, timeZone: zone });
    const at = timeAt(row, column);
    const time = write({ timeStyle: "short" });
    const whole = write({ dateStyle: "short", timeStyle: "short" });
    // When the clock is put back, by an hour or by half of one, some times come twice.
    const isTwice = [-12, -6, 6, 12].some((by) => whole.format(timeAt(row + by, column)) === whole.format(at));
    const name = isTwice ? ` ${write({ timeZoneName: "short" }).formatToParts(at).find(({ type }) => type === "timeZoneName").value}` : "";
    const day = dayOf(column) ? `${write({ weekday: "short", day: "numeric" }).format(at)}, ` : "";
    return `${day}${time.format(at)}${name}, ${column.dataset.name}`;
  }

  function lastRow() {
    return Number(board().dataset.rows) - QUARTER;
  }

  function place(row, column) {
    held.row = Math.max(0, Math.min(row, lastRow()));
    held.column = column;
    const rows = Math.min(held.block.dataset.rows, board().dataset.rows - held.row);
    const at = `at-h${Math.floor(held.row / 12)} at-m${held.row % 12}`;
    const lasts = `for-h${Math.floor(rows / 12)} for-m${rows % 12}`;
    held.ghost.className = `block is-ghost lane-0 of-1 ${at} ${lasts}`;
    const words = inWords(held.row, column);
    if (held.ghost.textContent === words && held.ghost.parentElement === column) return;
    held.ghost.textContent = words;
    column.append(held.ghost);
    byId("move-bar-text").textContent = `${held.block.dataset.name}: ${words}`;
    if (held.by === "keys") {
      say(words);
      held.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  // --- begin, ask, end ---

  function begin(block, by, more = {}) {
    const column = block.parentElement;
    board().querySelector(".is-ghost")?.remove(); // of a move that was kept this very moment
    const ghost = document.createElement("div");
    ghost.setAttribute("aria-hidden", "true");
    held = { block, ghost, by, ...more };
    block.classList.add("is-source");
    document.body.classList.add("is-moving");
    place(Number(block.dataset.row), column);
  }

  function beginByKeys(block) {
    if (held) end();
    begin(block, "keys");
    letKeysMove();
    say(`Moving ${block.dataset.name}. ${inWords(held.row, held.column)}. Up and down arrow: 15 minutes. Left and right: ${dayOf(held.column) ? "another day" : "another barber"}. Enter: move here. Escape: leave it.`);
  }

  function letKeysMove() {
    held.by = "keys";
    byId("move-bar").hidden = false;
  }

  function end() {
    if (!held) return;
    held.ghost.remove();
    held.block.classList.remove("is-source");
    byId("move-bar").hidden = true;
    document.body.classList.remove("is-dragging", "is-moving");
    held = null;
    if (isStale) refresh();
  }

  function isUnmoved() {
    return held.row === Number(held.block.dataset.row) && held.column === held.block.parentElement;
  }

  async function ask() {
    const { block, row, column } = held;
    held.refocus = held.by === "keys";
    held.by = "nobody";
    byId("move-bar").hidden = true;
    const values = {
      at: timeAt(row, column).toISOString(),
      barber: column.dataset.barber,
      was_at: block.dataset.at,
      was_barber: block.dataset.barber,
    };
    const panel = byId("move-panel");
    const url = `${document.documentElement.dataset.base}bookings/${block.dataset.booking}/move`;
    await htmx.ajax("POST", url, { source: panel, target: panel, swap: "innerHTML", values });
    if (panel.childElementCount) byId("move-dialog").showModal();
    else end(); // a toast says why
  }

  function leave() {
    say(`${held.block.dataset.name} stays at ${inWords(Number(held.block.dataset.row), held.block.parentElement)}.`);
    end();
  }

  // The dialog's form was answered with nothing: the booking was moved. The ghost stays until the
  // new board is there, which has the booking in its place.
  async function kept() {
    const { block, refocus } = held;
    held = null;
    document.body.classList.remove("is-moving");
    byId("move-dialog").close();
    await refresh();
    if (refocus) byId(`open-${block.dataset.booking}`)?.focus({ preventScroll: true });
  }

  function refresh() {
    isStale = false;
    const today = byId("today");
    const url = today.getAttribute("hx-get");
    return htmx.ajax("GET", url, { source: today, target: today, swap: "outerMorph" });
  }

  // --- by pointer ---

  function press(event) {
    const block = event.target.closest(".block.is-movable");
    if (!block || held?.by === "nobody" || event.button !== 0 || !event.isPrimary || event.target.closest(".block-move")) return;
    if (held) end();
    pressed = { block, x: event.clientX, y: event.clientY, id: event.pointerId };
    if (event.pointerType === "touch") pressed.timer = setTimeout(lift, HOLD_FOR);
  }

  function lift() {
    const { block, x, y, id } = pressed;
    release();
    begin(block, "pointer", { id, x, y, grip: y - block.getBoundingClientRect().top });
    document.body.classList.add("is-dragging");
    say(`Moving ${block.dataset.name}.`);
    requestAnimationFrame(scrollAtEdge);
  }

  function release() {
    clearTimeout(pressed?.timer);
    pressed = null;
  }

  function follow(event) {
    if (pressed && event.pointerId === pressed.id) {
      const far = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
      if (far < DRAG_AFTER) return;
      if (pressed.timer) release(); // the finger scrolls
      else lift();
    }
    if (held?.by !== "pointer" || event.pointerId !== held.id) return;
    Object.assign(held, { x: event.clientX, y: event.clientY });
    placeUnder();
  }

  function placeUnder() {
    const { x, y, grip } = held;
    const away = (column) => {
      const { left, right } = column.getBoundingClientRect();
      return Math.max(left - x, x - right, 0);
    };
    const column = columns().reduce((best, each) => (away(each) < away(best) ? each : best));
    const { top, height } = column.getBoundingClientRect();
    const rows = (y - grip - top) / (height / Number(board().dataset.rows));
    place(Math.round(rows / QUARTER) * QUARTER, column);
  }

  // What is seen of the board below its names and beside its hours.
  function inSight() {
    const { left, top, right, bottom } = board().getBoundingClientRect();
    const corner = document.querySelector(".board-hours > .board-head");
    return {
      left: Math.max(left, 0) + corner.offsetWidth,
      top: Math.max(top, 0) + corner.offsetHeight,
      right: Math.min(right, innerWidth),
      bottom: Math.min(bottom, innerHeight),
    };
  }

  // The nearer the edge, the faster.
  function speed(at, first, last, edge) {
    const beyond = Math.min(at - first - edge, 0) || Math.max(at - last + edge, 0);
    return Math.max(-FASTEST, Math.min(Math.round(beyond / 5), FASTEST));
  }

  // The board, and where it cannot go on, the page.
  function scrollAtEdge() {
    if (held?.by !== "pointer") return;
    const { left, top, right, bottom } = inSight();
    const before = board().scrollTop;
    board().scrollBy(speed(held.x, left, right, EDGE.x), speed(held.y, top, bottom, EDGE.y));
    if (board().scrollTop === before) scrollBy(0, speed(held.y, 0, innerHeight, EDGE.y));
    requestAnimationFrame(scrollAtEdge);
  }

  function drop(event) {
    release();
    if (held?.by !== "pointer" || event.pointerId !== held.id) return;
    document.body.classList.remove("is-dragging");
    // The click that follows would open the booking.
    const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 50);
    if (!isUnmoved()) ask();
    else if (event.pointerType === "touch") letKeysMove(); // held, not dragged: the buttons move it
    else end();
  }

  document.addEventListener("pointerdown", press);
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerup", drop);
  document.addEventListener("scroll", () => {
    if (held?.by === "pointer") placeUnder();
  }, { capture: true, passive: true });
  document.addEventListener("pointercancel", () => {
    release();
    if (held?.by === "pointer") end();
  });
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.(".block")) event.preventDefault();
  });
  document.addEventListener("contextmenu", (event) => {
    if (held || pressed?.timer) event.preventDefault();
  });
  document.addEventListener("touchmove", (event) => {
    if (held?.by === "pointer") event.preventDefault();
  }, { passive: false });

  // --- by keys, and the buttons that stand for them ---

  function step(key) {
    const open = columns();
    const beside = (by) => open[open.indexOf(held.column) + by] ?? held.column;
    const quarter = Math.floor(held.row / QUARTER) * QUARTER;
    if (key === "ArrowUp") place(quarter < held.row ? quarter : held.row - QUARTER, held.column);
    else if (key === "ArrowDown") place(quarter + QUARTER, held.column);
    else if (key === "ArrowLeft") place(held.row, beside(-1));
    else if (key === "ArrowRight") place(held.row, beside(1));
    else if (key === "Escape" || isUnmoved()) leave();
    else ask();
  }

  const STEPS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter", "Escape"];

  function moveByKey(event) {
    const isButton = event.key === "Enter" && event.target.closest("#move-bar");
    if (byId("move-dialog").open || isButton || !STEPS.includes(event.key)) return;
    event.preventDefault();
    if (held.by === "keys") step(event.key);
    else if (event.key === "Escape" && held.by === "pointer") leave();
  }

  // From a time or booking to the next one: the arrow keys spare some forty stops of Tab.
  function walk(event) {
    const cell = event.target.closest(".slot, .block");
    const column = cell.parentElement;
    const cells = (of) => [...of.querySelectorAll(":scope > .slot, :scope > .block")];
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    let next;
    if (step) next = cells(column)[cells(column).indexOf(cell) + step];
    else {
      const all = [...document.querySelectorAll(".board-column > .board-rows")];
      const beside = all[all.indexOf(column) + (event.key === "ArrowLeft" ? -1 : 1)];
      const { top } = cell.getBoundingClientRect();
      const away = (each) => Math.abs(each.getBoundingClientRect().top - top);
      next = beside && cells(beside).sort((one, other) => away(one) - away(other))[0];
    }
    event.preventDefault();
    (next?.querySelector(".block-open") ?? next)?.focus();
  }

  function tabOnce() {
    for (const column of document.querySelectorAll(".board-column > .board-rows")) {
      [...column.querySelectorAll(".slot")].forEach((slot, turn) => { slot.tabIndex = turn ? -1 : 0; });
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (held) return moveByKey(event);
    const block = event.target.closest?.(".block.is-movable");
    if (block && event.key.toLowerCase() === "m") {
      event.preventDefault();
      beginByKeys(block);
    } else if (event.key.startsWith("Arrow") && event.target.closest?.(".slot, .block")) walk(event);
  });

  document.addEventListener("click", (event) => {
    const move = event.target.closest?.(".block-move");
    const button = event.target.closest?.("[data-move]");
    if (button && held?.by === "keys") step(button.dataset.move);
    else if (move && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      beginByKeys(move.closest(".block"));
    }
  });

  // --- the dialog, the live board, the date ---

  byId("move-dialog")?.addEventListener("close", () => {
    byId("move-panel").replaceChildren();
    if (!held) return;
    const { block, refocus } = held;
    leave();
    if (refocus) block.querySelector(".block-open").focus();
  });

  document.addEventListener("htmx:after:swap", () => {
    tabOnce();
    if (held && byId("move-dialog").open && !byId("move-panel").childElementCount) kept();
  });

  for (const name of ["htmx:before:request", "htmx:before:swap"]) {
    document.addEventListener(name, (event) => {
      if (!held || event.detail.ctx.sourceElement.id !== "today") return;
      event.preventDefault();
      isStale = true;
    });
  }

  // --- where it is scrolled to ---

  const scrollsItself = () => getComputedStyle(board()).overflowY === "auto";

  // The present, with some of the past above it; on a page that scrolls, if it is not in view yet,
  // and if nothing stands above that must be seen: that sending has stopped.
  function showNow() {
    const line = byId("now");
    if (!line) return;
    const { top, bottom } = inSight();
    const at = () => line.getBoundingClientRect().top;
    if (scrollsItself()) board().scrollTop += at() - top - (bottom - top) / 3;
    if (at() < innerHeight * 0.7 || document.querySelector("#banner .banner")) return;
    if (scrollsItself()) board().scrollIntoView({ block: "nearest" });
    else line.scrollIntoView();
  }

  // Who comes back finds it as they left it, as the browser does with a page.
  function openAt() {
    const [{ type }] = performance.getEntriesByType("navigation");
    const left = sessionStorage.getItem(PLACE);
    if (type !== "navigate") board().scrollTo(...JSON.parse(left ?? "[0, 0]"));
    else if (!location.hash && document.activeElement === document.body) showNow();
  }

  addEventListener("pagehide", () => {
    const { scrollLeft, scrollTop } = board();
    sessionStorage.setItem(PLACE, JSON.stringify([scrollLeft, scrollTop]));
  });

  tabOnce();
  openAt();
})();
