// Opens the live stream, opens it again when it does not answer, and says how it is.
// Not by hx-sse:connect: htmx may look at the page before its extension is there.
(() => {
  "use strict";

  if (window.chairtimeLive) return; // a page that htmx put in place of another brings it again
  window.chairtimeLive = true;

  const AGAIN_AFTER = 3000; // ms
  const SILENT_FOR = 40000; // ms; the server says something every 15 s

  let heardAt = Date.now();

  const element = () => document.getElementById("live");
  const isOurs = (event) => event.target.id === "live";

  function say(state, text = state) {
    const live = element();
    if (!live || live.dataset.state === state) return;
    live.dataset.state = state;
    live.textContent = text;
  }

  function connect() {
    const live = element();
    if (!live) return;
    live.dataset.state ??= "connecting";
    htmx.ajax("GET", live.dataset.stream, { source: live, timeout: 10000 });
  }

  function failed(event, status) {
    say("reconnecting");
    if (status === 401) logOut(event.detail.connection);
    else if (!event.detail.connection) setTimeout(connect, AGAIN_AFTER);
  }

  function logOut(connection) {
    const link = document.createElement("a");
    link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "logged out";
    say("ended", "");
    element().replaceChildren(link);
    if (connection) connection.stop = true;
  }

  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (!isOurs(event)) return;
    const { connection } = event.detail;
    if (connection.stop) event.preventDefault();
    else if (connection.attempt > 0) say("reconnecting");
  });

  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (!isOurs(event)) return;
    heardAt = Date.now();
    say("live");
  });

  document.addEventListener("htmx:sse:before:message", () => {
    heardAt = Date.now();
  });

  document.addEventListener("htmx:sse:error", (event) => {
    if (isOurs(event)) failed(event, event.detail.status);
  });

  // The first connection is an ordinary request of htmx, and its errors are ordinary ones.
  document.addEventListener("htmx:error", (event) => {
    if (isOurs(event)) failed(event);
  });
  document.addEventListener("htmx:response:error", (event) => {
    if (isOurs(event)) failed(event, event.detail.ctx.response.status);
  });

  // A page in place of this one has an element of its own.
  document.addEventListener("htmx:after:settle", () => {
    if (element() && !element().dataset.state) connect();
  });

  // A network that went away without a word is only noticed by its silence.
  setInterval(() => {
    const connection = element()?._htmx?.sse;
    if (document.hidden || !connection?.reader || Date.now() - heardAt < SILENT_FOR) return;
    say("reconnecting");
    heardAt = Date.now();
    connection.reader.cancel();
  }, 5000);

  htmx.config.morphIgnore.push("open"); // what somebody has opened stays so when news arrive
  connect();
})();
