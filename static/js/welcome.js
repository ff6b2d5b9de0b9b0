// The first step proposes the browser's time zone, and what follows from it.
(() => {
  "use strict";

  const zone = document.querySelector("[data-propose-zone]");
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isKnown = zone && [...zone.options].some((each) => each.value === mine);
  const address = new URL(location.href);
  if (!isKnown || zone.value || address.searchParams.has("zone")) return;
  address.searchParams.set("zone", mine);
  location.replace(address);
})();
