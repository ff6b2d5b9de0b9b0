// The little that is not HTML or htmx: toasts, dialogs, the theme without a reload, the clock.
// Everything also works without it. Handlers hang on the document, so swaps never lose them.
(() => {
  "use strict";

  const SHOWN_FOR = 7000; // ms
  const UNDO_FOR = 10000; // ms, as long as the server waits before it tells the customer

  const { base } = document.documentElement.dataset; // "/", or the path that our addresses are below

  const closest = (event, selector) => event.target.closest?.(selector);

  // --- toasts ---

  function addToast({ text, undo, bad, login }) {
    const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
    toast.classList.toggle("is-bad", Boolean(bad));
    toast.querySelector(".toast-text").textContent = text;
    const form = toast.querySelector("form");
    const link = toast.querySelector(".is-login");
    if (undo) form.setAttribute("action", base + undo.slice(1));
    else form.remove();
    if (login) link.href = base + login.slice(1);
    else link.remove();
    if (bad) {
      const use = toast.querySelector("use");
      use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#failed"));
    }
    show(toast);
  }

  const toLogin = () => document.querySelector("#toasts > .toast:has(.is-login)");

  function show(toast) {
    const isToLogin = toast.querySelector(".is-login");
    if (isToLogin && toLogin()) return; // each key that is typed asks the server
    toast.querySelector(".toast-close").hidden = false;
    document.getElementById("toasts").append(toast);
    if (isToLogin) return; // until one goes to log in
    let timer;
    const wait = () => {
      timer = setTimeout(() => toast.remove(), toast.querySelector("form") ? UNDO_FOR : SHOWN_FOR);
    };
    const stay = () => clearTimeout(timer);
    wait();
    if (toast.querySelector("form")) return; // its time is the server's
    toast.addEventListener("pointerenter", stay);
    toast.addEventListener("focusin", stay);
    toast.addEventListener("pointerleave", wait);
    toast.addEventListener("focusout", wait);
  }

  // A toast that came with the page is added again: only what changes is read aloud.
  function showArrived() {
    for (const toast of document.querySelectorAll("#toasts > .toast:has(.toast-close[hidden])")) {
      toast.remove();
      requestAnimationFrame(() => show(toast));
    }
  }

  // Who has taken the toast to log in away is told again by what they send, not by each part of the
  // page that asks by itself (`hx-trigger`): it would come back over the button they want next.
  let wasTold = false;

  function takeAway(toast) {
    wasTold ||= toast.matches(":has(.is-login)");
    toast.remove();
  }

  document.addEventListener("toast", (event) => {
    if (event.detail.login && wasTold && event.target.matches("[hx-trigger]")) return;
    addToast(event.detail);
  });
  document.addEventListener("htmx:after:swap", showArrived);
  document.addEventListener("htmx:error", () => {
    addToast({ text: "Chairtime does not answer. Check the network, then try again.", bad: true });
  });

  document.addEventListener("htmx:finally:request", (event) => {
    if (!event.detail.ctx.response?.raw?.ok) return;
    wasTold = false;
    toLogin()?.remove();
  });

  // --- long forms: what was typed goes with its page, so first see whether it will be taken ---

  async function isLoggedOut() {
    const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
    const answer = await fetch(`${base}account`, { headers }).catch(() => null);
    if (answer?.status !== 401) return false;
    addToast(JSON.parse(answer.headers.get("HX-Trigger")).toast);
    return true;
  }

  async function sendIfLoggedIn(form, button) {
    form.dataset.keep = "asking";
    const isLost = await isLoggedOut();
    form.dataset.keep = isLost ? "" : "sending";
    if (!isLost) form.requestSubmit(button);
    form.dataset.keep = "";
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const { keep } = form.dataset;
    if (keep === undefined || keep === "sending") return;
    event.preventDefault();
    event.stopPropagation();
    if (keep !== "asking") sendIfLoggedIn(form, event.submitter);
  }, true);

  // --- dialogs, menus, how pages look ---

  function openDialog(link, event) {
    const dialog = document.getElementById(link.hash.slice(1));
    if (!dialog?.matches("dialog")) return;
    event.preventDefault();
    dialog.showModal();
  }

  function choose(button, event) {
    event.preventDefault();
    const { name, dataset: { look } } = button;
    const root = document.documentElement;
    if (look) root.dataset[name] = look;
    else delete root.dataset[name];
    const lasts = look ? 31536000 : 0;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    const path = base.slice(0, -1) || "/"; // as app/web/cookies.py says it
    document.cookie = `chairtime-${name}=${look}; Path=${path}; Max-Age=${lasts}; SameSite=Lax${secure}`;
    for (const each of button.parentElement.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
  }

  document.addEventListener("click", (event) => {
    const link = closest(event, 'a[href^="#"]');
    const choice = closest(event, "button[data-look]");
    const sample = closest(event, "[data-toast]"); // the style guide's
    if (sample) addToast(JSON.parse(sample.dataset.toast));
    else if (closest(event, ".toast-close, .is-login")) takeAway(closest(event, ".toast"));
    else if (choice) choose(choice, event);
    else if (closest(event, "[data-close]")) {
      event.preventDefault();
      closest(event, "dialog").close();
    } else if (link && link.hash.length > 1) openDialog(link, event);
    else if (event.target.matches?.("dialog")) event.target.close(); // its backdrop
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const button = closest(event, 'a[role="button"]');
    if (button && event.key === " ") {
      event.preventDefault();
      button.click();
    }
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // --- the banner stays in sight, and what would be beneath it below it (static/css/banner.css) ---

  function makeRoom([banner]) {
    const height = `${banner.target.offsetHeight}px`;
    document.documentElement.style.setProperty("--banner", height);
  }

  const banner = document.getElementById("banner");
  if (banner) new ResizeObserver(makeRoom).observe(banner);

  // --- what is shown once: a reload must not ask the server for another ---

  const once = document.querySelector("[data-once]")?.dataset.once;
  if (once) history.replaceState(history.state, "", base + once.slice(1));

  // --- the clock ---

  function tick() {
    const clock = document.getElementById("clock");
    if (!clock) return;
    const { zone, locale } = clock.dataset;
    const style = { timeStyle: "short", timeZone: zone };
    clock.textContent = new Intl.DateTimeFormat(locale, style).format(new Date());
  }

  setInterval(tick, 10000);
  showArrived();
})();
