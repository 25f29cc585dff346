// What a page does by itself: the reader's own times, the countdown, news as it comes, and clicks
// that keep one's place. Everything works without it, by links and forms.
"use strict";

const { lang } = document.documentElement;
/** English as most of the world writes it, not as in the United States */
const language = lang === "en" ? "en-GB" : lang;
const SECOND = 1000;
/** at midnight all pages that stand open ask again; spread over so many milliseconds */
const SPREAD = 4000;

/** What the server's clock showed when this page's own, which nobody sets, began to run. */
let began = 0;
/** How far the device's clock is ahead of the page's, which changes when somebody sets it. */
let drift = Date.now() - performance.now();
/** What the server last said of the state of things, if anything. */
let version = null;
let news = null;

const number = (value) => new Intl.NumberFormat(language).format(value);
const now = () => began + performance.now();

function prepare(part) {
  for (const time of part.querySelectorAll("time[datetime*='T']:not([data-told])")) tellOwnTime(time);
  for (const each of part.querySelectorAll("[data-scripted]")) each.hidden = false;
  for (const each of part.querySelectorAll("[data-unscripted]")) each.hidden = true;
  for (const field of part.querySelectorAll("[data-reveal]")) offerToReveal(field);
  for (const each of part.querySelectorAll("[data-countdown]")) {
    began = Date.parse(each.dataset.now) - performance.now();
    each.hidden = false;
    count(each);
  }
}

/** Write the reader's own time beside an instant in UTC. */
function tellOwnTime(time) {
  time.dataset.told = "";
  const at = new Date(time.dateTime);
  if (at.getTimezoneOffset() === 0) return;
  const own = at.toLocaleString(language, { weekday: "long", hour: "2-digit", minute: "2-digit" });
  const sentence = time.parentElement.dataset.ownFirst;
  if (sentence) {
    const [before, after] = sentence.replace("{own}", own).split("{utc}");
    time.parentElement.replaceChildren(before, time, after);
    return;
  }
  time.after(` ${document.body.dataset.ownTime.replace("{}", own)}`);
}

/** Let a password be looked at while it is typed. */
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

// The countdown: seen, and never read out; that the day has closed is, once.

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

/** The device slept, or its clock was set: what time it is, and which day, the server knows. */
function askWhereClockWasSet() {
  const found = Date.now() - performance.now();
  if (Math.abs(found - drift) > 2 * SECOND) askSoon();
  drift = found;
}

// News: the server tells how many ballots there are, and when there is more to be seen.

/** Milliseconds after which a page may be older than the first that is heard. */
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

function showCount(today, ballots) {
  const mine = Number(today.dataset.mine);
  const shown = today.querySelector("[data-ballots]");
  if (shown) shown.textContent = number(ballots);
  const chance = today.querySelector("[data-chance]");
  // never as 0 or 100 where it is not; so small a one stays as the server wrote it
  if (!chance || mine > ballots || mine / ballots < 0.0001) return;
  const share = mine === ballots ? 100 : Math.min(Math.round(10000 * mine / ballots) / 100, 99.99);
  chance.textContent = `${number(share)}\u00a0%`;
}

// Asking for the page again, and taking over what is live of it.

let isAskingSoon = false;
/** So many times it was asked for; only the last answer counts. */
let asked = 0;

const isSubmitting = () => document.querySelector("[data-in-place][aria-busy=true]") !== null;

/** Ask at a moment of this page's own, however many reasons there are by then. */
function askSoon(after = 0) {
  if (isAskingSoon) return;
  isAskingSoon = true;
  setTimeout(async () => {
    await ask();
    isAskingSoon = false;
  }, after + Math.random() * SPREAD);
}

/** @returns {string | undefined} where this page is had again, if it is one that is renewed */
function addressOfPage() {
  /** @type {HTMLElement | null} */
  const part = document.querySelector("[data-at]");
  return part?.dataset.at;
}

/** Tell whether the page was had, and is shown; what is being submitted is left alone. */
async function ask({ isOwn = false } = {}) {
  const address = addressOfPage();
  if (!address || (isSubmitting() && !isOwn)) return false;
  asked += 1;
  const mine = asked;
  const answer = await fetch(address).catch(() => null);
  if (answer?.redirected) location.assign(address);  // to the log-in page
  if (!answer?.ok || answer.redirected) return false;
  const html = await answer.text();
  if (mine !== asked || (isSubmitting() && !isOwn)) return false;
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
    keepTyped(part, newer);
    part.replaceWith(newer);
    prepare(newer);
  }
  // all stands where it stood, only anew
  focused?.find()?.focus({ preventScroll: true });
  const top = document.getElementById(place?.id)?.getBoundingClientRect().top;
  if (top !== undefined) scrollBy(0, top - place.top);
}

/**
 * Where the focus is, and how to find the same thing in what takes its place.
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

/** What the reader looks at: what has the focus, or else the first thing in sight; and where. */
function placeOf(focused) {
  const inSight = (element) => element.getBoundingClientRect().top >= 0;
  const found = focused?.element.closest("[id]")
    ?? [...document.querySelectorAll("main [id]")].find(inSight);
  return found && { id: found.id, top: found.getBoundingClientRect().top };
}

/** A receipt is shown once by the server, and stays until there is another one. */
function keepReceipt(page) {
  const receipt = document.querySelector(".receipt");
  if (!receipt || page.querySelector(".receipt")) return;
  page.getElementById(receipt.closest("[id]").id)?.append(receipt);
}

/** Keep what was typed, and what was unfolded. */
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

// A click submits without losing one's place. Whatever is not as expected is left to the browser:
// it sends the same form again, and its token sees to it that nothing is entered twice.

async function submitInPlace(form) {
  if (form.ariaBusy === "true") {  // the answer does not come, and somebody presses again
    form.submit();
    return;
  }
  form.ariaBusy = "true";
  /** @type {any} texts alone, and no files */
  const fields = new FormData(form);
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(fields), redirect: "manual",
  }).catch(() => null);
  if (answer?.type !== "opaqueredirect") {
    form.submit();
    return;
  }
  const before = document.querySelector(".receipt");
  if (!await ask({ isOwn: true })) {
    location.assign(addressOfPage());
    return;
  }
  const receipt = document.querySelector(".receipt");
  if (receipt && receipt !== before) announce(receipt.querySelector("h2").textContent);
}

addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("[data-in-place]")) return;
  event.preventDefault();
  submitInPlace(form);
});
// the second click of a double click asks for nothing more
addEventListener("click", (event) => {
  const clicked = /** @type {Element} */ (event.target);
  if (event.detail > 1 && clicked.closest("[data-in-place] button")) event.preventDefault();
}, { capture: true });
// a page that comes back out of the browser's memory is not of this moment
addEventListener("pageshow", ({ persisted }) => { if (persisted) ask(); });
document.addEventListener("visibilitychange", listen);

prepare(document);
setInterval(tick, SECOND);
listen();
