// Failed sends: where the focus goes when what had it is gone, as it was retried here or elsewhere.
(() => {
  "use strict";

  let places = []; // ids of where it may go, the nearest first

  // To the next messages of the same reason, then to what stands above them.
  function note() {
    const here = document.activeElement;
    const row = here.closest(".failed-row");
    const group = here.closest(".failed-group");
    places = [];
    if (!here.closest("#failed")) return;
    for (let next = row?.nextElementSibling; next; next = next.nextElementSibling) places.push(next.id);
    if (group) places.push(`${group.id}-title`);
    places.push("failed-title");
  }

  function restore() {
    if (document.activeElement !== document.body) return;
    const place = places.map((id) => document.getElementById(id)).find(Boolean);
    (place?.querySelector("a") ?? place)?.focus();
  }

  document.addEventListener("htmx:before:swap", note);
  document.addEventListener("htmx:after:swap", restore);
})();
