// Opens the live stream, opens it again when it does not answer, and says how it is.
// Not by hx-sse:connect: htmx may look at the page before its extension is there.
(() => {
  "use strict";

  const AGAIN_AFTER = 3000; // ms
  const SILENT_FOR = 40000; // ms; the server says something every 15 s
  const OURS_FOR = 3000; // ms; longer than the server keeps what it rendered (app/web/shared.py)

  let heardAt = Date.now();
  let look = ""; // the server's look at the database that told us last
  let changedAt = 0; // when we changed something ourselves

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

  document.addEventListener("htmx:sse:before:message", (event) => {
    const { message } = event.detail;
    heardAt = Date.now();
    if (message.event && message.data) look = message.data;
  });

  // What the server rendered for others since that look is good for us too, but for our own change.
  const isChange = (ctx) => ctx.request.method !== "GET";

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (isChange(ctx)) changedAt = Infinity;
    else if (look && Date.now() - changedAt > OURS_FOR) ctx.request.headers["Chairtime-Look"] = look;
  });
  document.addEventListener("htmx:finally:request", (event) => {
    if (isChange(event.detail.ctx)) changedAt = Date.now();
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

  connect();
})();
