// One live stream a browser: the tab that holds the lock listens, and passes on what it hears.
// A hidden tab does neither; when it is looked at, it asks what it missed (docs/adr/0030).
(() => {
  "use strict";

  const AGAIN_AFTER = 3000; // ms
  const STILL_HERE_AFTER = 10000; // ms; so long the next page may take to come
  const SILENT_FOR = 40000; // ms; the server says something every 15 s
  const OURS_FOR = 3000; // ms; longer than the server keeps what it rendered (app/web/rendered_once.py)
  const SLACK = 2; // s; how much older than its own time a page may be
  const MOST_KEPT = 400; // names
  const EVERYTHING = ["missed", "board", "failed", "queue"];
  const { base } = document.documentElement.dataset; // "/", or the path that our addresses are below
  const NAME = `chairtime-live ${base}`; // of the lock, and of the channel

  // Without a lock (plain http on another host) each tab that is looked at has its own stream.
  const channel = navigator.locks && window.BroadcastChannel ? new BroadcastChannel(NAME) : null;
  const me = Math.random();

  const element = () => document.getElementById("live");
  const outdated = element()?.dataset.version; // the scripts are as old as the first page

  let heardAt = Date.now(); // by our clock; all else is the server's
  let heard = 0; // the newest snapshot of which this page knows all
  let snapshot = ""; // the one that told us last
  let changedAt = 0; // when we changed something ourselves

  // --- what a page does with what it hears ---

  function say(state) {
    const live = element();
    if (!live || live.dataset.state === state) return;
    live.dataset.state = state;
    if (state === "ended") live.replaceChildren(loginLink());
    else live.textContent = state;
  }

  function loginLink() {
    const link = document.createElement("a");
    const here = `/${location.pathname.slice(base.length)}${location.search}`;
    link.href = `${base}login?next=${encodeURIComponent(here)}`;
    link.textContent = "logged out";
    return link;
  }

  function replace(id, text) {
    const target = document.getElementById(id);
    if (target) htmx.swap({ sourceElement: target, target, text, swap: "outerMorph" });
  }

  function hear(message) {
    if (document.hidden || !element()) return;
    heardAt = Date.now();
    if (message.state) say(message.state);
    if (!message.snapshot) return;
    if (message.version !== outdated) document.getElementById("upgrade").hidden = false;
    for (const [id, html] of Object.entries(message.parts)) replace(id, html);
    const names = new Set(heard < message.from ? EVERYTHING : message.events);
    snapshot = message.snapshot;
    heard = Math.max(heard, Number(snapshot));
    for (const name of [...names, ...changes(message)]) htmx.trigger(element(), name);
  }

  // What is not as it was when the page was made, though no row tells of it.
  function changes({ role, shown, calendar }) {
    const was = element().dataset;
    const isOtherRole = was.role !== role;
    const isOtherDay = was.calendar !== calendar;
    const isOther = was.shown !== shown;
    Object.assign(was, { role, shown, calendar });
    if (isOtherRole) return ["role", ...EVERYTHING];
    if (isOtherDay) return EVERYTHING;
    return isOther ? ["queue", "board"] : [];
  }

  // --- who leads ---

  let source = null; // the stream, if this tab leads
  let known = null; // what the leader was told: since when, each name's newest snapshot, and the parts
  let stopWaiting = null;
  let release = null;

  function open() {
    close();
    known = { from: heard, kept: heard, told: new Map(), parts: {}, newest: {} };
    source = new EventSource(`${base}live?since=${heard}`);
    const own = source;
    own.onopen = () => pass({ state: "live" });
    own.onmessage = ({ data }) => pass({ from: known.from, state: "live", ...JSON.parse(data) });
    own.onerror = () => {
      pass({ state: "reconnecting" });
      if (own.readyState === EventSource.CLOSED) refused(own);
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  // The browser says that there is no stream, not why.
  async function refused(own) {
    const stop = new AbortController();
    const headers = { Accept: "text/event-stream" };
    const answer = await fetch(own.url, { headers, signal: stop.signal }).catch(() => null);
    stop.abort();
    if (source !== own) return;
    if (answer?.status === 401) pass({ state: "ended" });
    else setTimeout(() => { if (source === own) open(); }, AGAIN_AFTER);
  }

  function pass(message) {
    remember(message);
    channel?.postMessage(message);
    hear(message);
  }

  function remember(message) {
    Object.assign(known.newest, message);
    if (!message.snapshot) return;
    Object.assign(known.parts, message.parts);
    for (const name of message.events) known.told.set(name, Number(message.snapshot));
    if (known.told.size <= MOST_KEPT) return;
    known.told.clear();
    known.kept = Number(message.snapshot);
  }

  function missedSince(since) {
    const told = [...known.told].filter(([, at]) => at > since - SLACK).map(([name]) => name);
    const events = since < known.kept ? EVERYTHING : told;
    return { ...known.newest, from: 0, events, parts: known.parts };
  }

  function join() {
    if (document.hidden || !element() || stopWaiting) return;
    heardAt = Date.now();
    if (!channel) {
      stopWaiting = new AbortController();
      return open();
    }
    wait();
    channel.postMessage({ ask: heard, asker: me });
  }

  function wait(steal = false) {
    stopWaiting?.abort();
    const stop = stopWaiting = new AbortController();
    const how = steal ? { steal } : { signal: stop.signal };
    navigator.locks.request(NAME, how, () => {
      if (stop.signal.aborted) return null;
      open();
      return new Promise((resolve) => { release = resolve; });
    }).catch(() => {
      if (stop.signal.aborted) return;
      close(); // somebody took it, as they heard nothing of us
      wait();
    });
  }

  function leave() {
    stopWaiting?.abort();
    release?.();
    stopWaiting = release = null;
    close();
  }

  channel?.addEventListener("message", ({ data }) => {
    if ("ask" in data) {
      if (source) channel.postMessage({ to: data.asker, ...missedSince(data.ask) });
    } else if (!source && (data.to ?? me) === me) hear(data);
  });

  // --- the page ---

  // A page, or one in its place, knows all up to when it was made.
  function begin() {
    const live = element();
    if (!live || live.dataset.state) return;
    live.dataset.state = "connecting";
    heard = Number(live.dataset.since);
    if (source) hear(missedSince(heard));
    else if (stopWaiting) channel?.postMessage({ ask: heard, asker: me });
    else join();
  }

  document.addEventListener("htmx:after:settle", begin);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) leave();
    else join();
  });

  // Who leaves may have logged out, and would ask for a stream again that is ended by that.
  addEventListener("beforeunload", () => {
    leave();
    setTimeout(join, STILL_HERE_AFTER); // of a file, say
  });

  // A leader that hangs, or a network that went away without a word, is only noticed by its silence.
  setInterval(() => {
    if (document.hidden || !stopWaiting || Date.now() - heardAt < SILENT_FOR) return;
    if (element()?.dataset.state === "ended") return;
    say("reconnecting");
    heardAt = Date.now();
    if (source) open();
    else wait(true);
  }, 5000);

  // What the server rendered for others since that snapshot is good for us too, but for our own change.
  const isChange = (ctx) => ctx.request.method !== "GET";

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (isChange(ctx)) changedAt = Infinity;
    else if (snapshot && Date.now() - changedAt > OURS_FOR) ctx.request.headers["Chairtime-Snapshot"] = snapshot;
  });
  document.addEventListener("htmx:finally:request", (event) => {
    if (isChange(event.detail.ctx)) changedAt = Date.now();
  });

  begin();
})();
