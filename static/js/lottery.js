// Progressive enhancement of the pages: local times, countdown, live updates, and submitting without
// losing one's place. Everything works without it, by links and forms.
"use strict";

const { lang } = document.documentElement;
/** British English: dates and times as most of the world writes them */
const language = lang === "en" ? "en-GB" : lang;
const SECOND = 1000;
/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit" };
/** @type {Intl.DateTimeFormatOptions} */
const DATE = { day: "numeric", month: "long", year: "numeric" };
/** at midnight all open pages reload, spread over this many milliseconds */
const SPREAD = 4000;

/** The server's time at the start of this page's monotonic clock. */
let began = 0;
/** The device clock's offset from the page's, which changes when somebody sets it. */
let drift = Date.now() - performance.now();
/** The last state that the server sent, if any. */
let version = null;
let news = null;

/**
 * Digits in groups, as the server writes them; Spanish would leave four together.
 *
 * @type {any}
 */
const grouped = { useGrouping: "always" };
const number = (value) => new Intl.NumberFormat(language, grouped).format(value);
const now = () => began + performance.now();

function prepare(part) {
  for (const time of part.querySelectorAll("time[data-own]")) tellOwnTime(time);
  for (const each of part.querySelectorAll("[data-scripted]")) each.hidden = false;
  for (const each of part.querySelectorAll("[data-unscripted]")) each.hidden = true;
  for (const field of part.querySelectorAll("[data-reveal]")) offerToReveal(field);
  for (const input of part.querySelectorAll("[data-largest]")) refuseLarge(input);
  for (const each of part.querySelectorAll("[data-countdown]")) {
    began = Date.parse(each.dataset.now) - performance.now();
    each.hidden = false;
    count(each);
  }
}

/**
 * Write the device's own time: before UTC where people act by it, else behind it. The same as in
 * lottery_system/web/instants.py, which does it where an account has a time zone.
 */
function tellOwnTime(time) {
  const form = time.dataset.own;
  delete time.dataset.own;
  // a day ends at midnight, a second after the last that people are told in UTC
  const isEnd = form === "closing" || form === "today";
  const at = new Date(Date.parse(time.dateTime) + (isEnd ? SECOND : 0));
  if (at.getTimezoneOffset() === 0) return;
  const { own, ownClosing } = document.body.dataset;
  const hour = at.toLocaleTimeString(language, CLOCK);
  const text = form === "closing" ? ownClosing.replace("{time}", hour).replace("{day}", longDay(at))
    : own.replace("{time}", {
      due: `${at.toLocaleDateString(language, DATE)}, ${hour}`, clock: hour, today: hour,
      recorded: at.toLocaleString(language, { weekday: "long", ...CLOCK }),
    }[form]);
  if (form === "recorded") {
    time.after(` (${text})`);
    return;
  }
  const utc = document.createElement("small");
  utc.textContent = `(${time.textContent})`;
  time.textContent = text;
  time.after(" ", utc);
}

/** A day as the server writes it: in English without the comma that some browsers put in. */
function longDay(at) {
  const day = at.toLocaleDateString(language, { weekday: "long", ...DATE });
  return lang === "en" ? day.replace(",", "") : day;
}

/** Let users show the password that they type. */
function offerToReveal(field) {
  const input = field.querySelector("input");
  const { reveal, conceal } = field.dataset;
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "reveal", textContent: reveal });
  button.setAttribute("aria-controls", input.id);
  button.addEventListener("click", () => {
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.textContent = isShown ? reveal : conceal;
  });
  input.form.addEventListener("submit", () => { input.type = "password"; });
  input.after(button);
}

/** Refuse a file that is too large before it is uploaded, which may take a minute. */
function refuseLarge(input) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    const isTooLarge = Boolean(file) && file.size > Number(input.dataset.largest);
    input.setCustomValidity(isTooLarge ? input.dataset.tooLarge : "");
    input.reportValidity();
    if (isTooLarge) input.value = "";
  });
}

// The countdown: hidden from screen readers, which only announce once that the day has closed.

function count(countdown) {
  const left = Date.parse(countdown.dataset.countdown) - now();
  countdown.querySelector("strong").textContent = clock(Math.max(0, Math.ceil(left / SECOND)));
  if (left > 0) return;
  if (countdown.dataset.closed) announce(countdown.dataset.closed);
  countdown.dataset.closed = "";
  askSoon(SECOND);
}

function clock(seconds) {
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function announce(sentence) {
  document.querySelector("#announcement").textContent = sentence;
}

function tick() {
  askWhereClockWasSet();
  for (const each of document.querySelectorAll("[data-countdown]")) count(each);
}

/** The device slept, or its clock was set: ask the server for time and day. */
function askWhereClockWasSet() {
  const found = Date.now() - performance.now();
  if (Math.abs(found - drift) > 2 * SECOND) askSoon();
  drift = found;
}

// Live updates: the server sends the ballot count, and when the page should reload its content.

/** If the first event comes later than this many milliseconds, treat the page as stale. */
const FRESH = 3000;

function listen() {
  const isWanted = document.visibilityState === "visible" && document.querySelector("[data-day]")
    && document.body.dataset.news;
  if (isWanted && !news) {
    news = new EventSource(document.body.dataset.news);
    news.addEventListener("state", ({ data }) => hear(JSON.parse(data)));
  } else if (!isWanted && news) {
    news.close();
    news = null;
  }
}

function hear(state) {
  /** @type {HTMLElement | null} */
  const today = document.querySelector("[data-day]");
  if (!today) return;
  const isNew = version === null ? performance.now() > FRESH : state.version !== version;
  version = state.version;
  if (isNew || state.day !== today.dataset.day) askSoon();
  else showCount(today, state.ballots);
}

/** Show how many ballots there are; what the page knows already may be newer than the event. */
function showCount(today, ballots) {
  const mine = Number(today.dataset.mine);
  /** @type {HTMLElement} */
  const shown = today.querySelector("[data-ballots]");
  if (!shown || ballots < Number(shown.dataset.ballots)) return;
  shown.dataset.ballots = String(ballots);
  shown.textContent = number(ballots);
  const chance = today.querySelector("[data-chance]");
  // never shown as 0 or 100 if it is not; very small ones stay as the server wrote them
  if (!chance || mine / ballots < 0.0001) return;
  const share = mine === ballots ? 100 : Math.min(Math.round(10000 * mine / ballots) / 100, 99.99);
  chance.textContent = `${number(share)}\u00a0%`;
}

// Reloading the page's content, and replacing its live parts.

let isAskingSoon = false;
/** Request counter: answers to older requests are dropped. */
let asked = 0;

/**
 * How many presses of each form have no answer yet, by its key.
 *
 * @type {Map<string, number>}
 */
const busy = new Map();
const isSubmitting = () => busy.size > 0;
/** Whether a receipt is being asked for: the content comes with it, and only then. */
let isShowing = false;
/** The token of the press that was answered last. */
let newest = "";

/** Milliseconds within which a click follows the end of a touch. */
const CLICK = 100;
/** The timer after which a receipt is scrolled into view. */
let scrolling = 0;

let isHeld = false;
let letting = 0;

/** A button is held down: content that is replaced under a finger loses the press. */
function hold(event) {
  const target = /** @type {Element} */ (event.target);
  if (!target.closest("[data-in-place] button") || (event.key && event.key !== " ")) return;
  clearTimeout(letting);
  clearTimeout(scrolling);
  isHeld = true;
}

function letGo() {
  clearTimeout(letting);
  letting = setTimeout(() => { isHeld = false; }, CLICK);
}

async function untilLetGo() {
  while (isHeld) await new Promise((resume) => { setTimeout(resume, CLICK); });
}

for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, hold, { capture: true });
for (const kind of ["pointerup", "pointercancel", "keyup", "blur"]) addEventListener(kind, letGo);

/** Reload at a random moment, once for all reasons by then. */
function askSoon(after = 0) {
  if (isAskingSoon) return;
  isAskingSoon = true;
  setTimeout(async () => {
    await ask();
    isAskingSoon = false;
  }, after + Math.random() * SPREAD);
}

/** @returns {string | undefined} the address to reload from, if this page reloads */
function addressOfPage() {
  /** @type {HTMLElement | null} */
  const part = document.querySelector("[data-at]");
  return part?.dataset.at;
}

/** Reload and show the content, and return whether that worked or a newer one does it; forms being submitted stay. */
async function ask({ token = "" } = {}) {
  let address = addressOfPage();
  const mayNot = () => !token && (isSubmitting() || isShowing);
  if (!address || mayNot()) return false;
  if (token) address += `${address.includes("?") ? "&" : "?"}receipt=${token}`;
  asked += 1;
  const mine = asked;
  const answer = await fetch(address).catch(() => null);
  if (answer?.redirected) location.assign(address);  // to the log-in page
  if (!answer?.ok || answer.redirected) return false;
  const html = await answer.text();
  await untilLetGo();
  if (mine !== asked) return true;
  if (mayNot()) return false;
  takeOver(new DOMParser().parseFromString(html, "text/html"));
  listen();
  return true;
}

function takeOver(page) {
  const focused = focusIn(document.activeElement);
  const place = placeOf(focused);
  keepReceipt(page);
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = page.getElementById(part.id);
    if (!newer) continue;
    announceNew(newer);
    keepTyped(part, newer);
    part.replaceWith(newer);
    prepare(newer);
  }
  markBusy();
  // everything keeps its place
  focused?.find()?.focus({ preventScroll: true });
  const top = document.getElementById(place?.id)?.getBoundingClientRect().top;
  if (top !== undefined) scrollBy(0, top - place.top);
}

/**
 * The focused element, and how to find it in the new content.
 *
 * @returns {{element: Element, find: () => HTMLElement | undefined} | null}
 */
function focusIn(element) {
  const part = element?.closest("[data-live]");
  if (!part) return null;
  /** @returns {HTMLElement[]} */
  const all = () => Array.from(
    document.getElementById(part.id).querySelectorAll("a, button, input, summary"),
  );
  const at = all().indexOf(element);
  const { id, tagName } = element;
  return {
    element,
    find: () => (id ? document.getElementById(id) : all().find((e, i) => i === at && e.tagName === tagName)),
  };
}

/** What the reader looks at: the focused element, else the first visible one; and its position. */
function placeOf(focused) {
  const inSight = (element) => element.getBoundingClientRect().top >= 0;
  const found = focused?.element.closest("[id]")
    ?? [...document.querySelectorAll("main [id]")].find(inSight);
  return found && { id: found.id, top: found.getBoundingClientRect().top };
}

/** Announce new elements that have a text for screen readers. */
function announceNew(newer) {
  for (const each of newer.querySelectorAll("[data-announce]")) {
    if (!document.getElementById(each.id)) announce(each.dataset.announce);
  }
}

/** The server shows a receipt once; keep it until there is another one. */
function keepReceipt(page) {
  const receipt = document.querySelector(".receipt");
  if (!receipt || page.querySelector(".receipt")) return;
  page.getElementById(receipt.parentElement.closest("[id]").id)?.append(receipt);
}

/** Keep input, and open details. */
function keepTyped(older, newer) {
  for (const input of older.querySelectorAll("input[id]")) {
    const same = newer.querySelector(`#${input.id}`);
    if (same && input.value !== input.defaultValue) same.value = input.value;
  }
  const folds = newer.querySelectorAll("details");
  older.querySelectorAll("details").forEach((fold, place) => {
    if (folds[place]) folds[place].open = fold.open;
  });
}

// Submitting without losing one's place. Each press has an idempotency token of its own and is sent
// at once. What gets no answer is sent again with the same token, so that nothing is added twice. On
// any other answer than the usual the browser sends the same form itself, and shows what comes.

/** Milliseconds until a press without an answer is sent again; then always the last of them. */
const WAITS = [500, 1000, 2000, 4000, 8000];
/** Milliseconds after which a press has no answer. */
const PATIENCE = 20_000;

/** @param {HTMLFormElement} form */
const isForSeveral = (form) => form.elements.namedItem("count") !== null;
const keyOf = (form) => `${form.action} ${isForSeveral(form)}`;

/** A random UUID (RFC 9562, version 4); `crypto.randomUUID` is there under https alone. */
function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function markBusy() {
  for (const form of document.querySelectorAll("[data-in-place]")) {
    form.ariaBusy = busy.has(keyOf(form)) ? "true" : null;
  }
}

function countBusy(key, more) {
  const count = (busy.get(key) ?? 0) + more;
  if (count) busy.set(key, count);
  else busy.delete(key);
  markBusy();
}

/**
 * Send a press until there is an answer.
 *
 * @returns {Promise<Response>}
 */
async function send(address, fields, tries = 0) {
  const answer = await fetch(address, {
    method: "POST", body: fields, redirect: "manual", signal: AbortSignal.timeout?.(PATIENCE),
  }).catch(() => null);
  if (answer) return answer;
  announce(document.body.dataset.unanswered);
  await new Promise((resume) => { setTimeout(resume, WAITS[Math.min(tries, WAITS.length - 1)]); });
  return send(address, fields, tries + 1);
}

/** Let the browser send a form itself, and show the answer. */
function leaveWith(address, fields) {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: address });
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

async function submitInPlace(form, address) {
  const key = keyOf(form);
  // a number that was typed is sent once, however often the button is pressed meanwhile
  if (isForSeveral(form) && busy.has(key)) return;
  /** @type {any} text fields only, no files */
  const typed = new FormData(form);
  const fields = new URLSearchParams(typed);
  const token = newToken();
  fields.set("submission", token);
  countBusy(key, 1);
  const answer = await send(address, fields);
  if (answer.type !== "opaqueredirect") {
    leaveWith(address, fields);
    return;
  }
  countBusy(key, -1);
  newest = token;
  if (!isSubmitting() && !isShowing) await showReceipt();  // the last one shows what is in
}

async function showReceipt() {
  const before = document.querySelector(".receipt");
  isShowing = true;
  let token = "";
  while (token !== newest) {
    token = newest;
    if (!await ask({ token })) {
      location.assign(addressOfPage());
      return;
    }
  }
  isShowing = false;
  document.dispatchEvent(new Event("receipt"));
  const receipt = document.querySelector(".receipt");
  if (!receipt || receipt === before) return;
  const said = ["h2", ".ticket", "a"].map((part) => receipt.querySelector(part).textContent.trim());
  announce(`${said[0]}: ${said[1]}, ${said[2]}`);
  // not under the finger of who presses on
  clearTimeout(scrolling);
  scrolling = setTimeout(() => receipt.scrollIntoView({ block: "nearest" }), SECOND);
}

addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("[data-in-place]")) return;
  event.preventDefault();
  const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
  submitInPlace(form, button?.formAction ?? form.action);
});
// a key that is held down is pressed once
addEventListener("keydown", (event) => {
  const pressed = /** @type {Element} */ (event.target);
  if (event.repeat && event.key === "Enter" && pressed.closest("[data-in-place]")) event.preventDefault();
});
// a page restored from the back/forward cache is stale
addEventListener("pageshow", ({ persisted }) => { if (persisted) ask(); });
document.addEventListener("visibilitychange", listen);

prepare(document);
setInterval(tick, SECOND);
listen();
