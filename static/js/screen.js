// The draw screen keeps itself up to date for days: over midnights, restarts and cuts of the network.
// It reads /live byte by byte, since keep-alives are signs of life that an EventSource hides, and one
// that is answered with an error would never try again. It asks for the page when there is more to be
// seen, and every half a minute. While it cannot, it says so, and of what moment all is that it shows.
export {};  // a module: its names are its own

const { lang } = document.documentElement;
/** English as most of the world writes it, not as in the United States */
const language = lang === "en" ? "en-GB" : lang;
const SECOND = 1000;
/** The page is asked for at least so often: while /live is heard, and while it is not. */
const EACH = 30 * SECOND;
const OFTEN = 10 * SECOND;
/** While a countdown is over and the page of what follows has not come. */
const SOON = 2 * SECOND;
/** After what failed. */
const RETRY = 5 * SECOND;
/** For a whole answer. */
const PATIENCE = 10 * SECOND;
/** /live says something every 20 seconds; after so long without, its connection is dead. */
const SILENCE = 50 * SECOND;
/** Between two ticks; more, and the device slept. */
const LONG = 5 * SECOND;
/** How a number settles: how often its digits turn, and when each of them stops, from the left. */
const TURN = 120;
const FIRST_STOP = 1500;
const NEXT_STOP = 700;

/** What the server's clock showed when this page's own, which nobody sets, began to run. */
let began = 0;
/** How far the device's clock is ahead of the page's. */
let drift = Date.now() - performance.now();
let tickedAt = performance.now();
let askedAt = performance.now();
let isAsking = false;
let isAskedAgain = false;
/** Whether what is shown may not hold any more. */
let isLost = false;
/** When it held, by the server's clock. */
let seenAt = 0;
/** So many times the device slept; what was asked for before tells no time. */
let wakes = 0;
/** What /live said last over the connection at hand. */
let heard = null;
/** @type {AbortController | null} the connection at hand */
let stream = null;

const now = () => began + performance.now();
const part = (id) => document.getElementById(id);
const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

function setClock() {
  seenAt = Date.parse(part("today").dataset.now);
  began = seenAt - performance.now();
}

function tick() {
  const found = Date.now() - performance.now();
  const hasSlept = Math.abs(found - drift) > 2 * SECOND || performance.now() - tickedAt > LONG;
  drift = found;
  tickedAt = performance.now();
  if (hasSlept) {  // or the clock was set: what time it is, the server knows
    wakes += 1;
    lose();
    stream?.abort();
    ask();
  } else if (!isAsking && performance.now() - askedAt >= longestWait()) ask();
  count();
}

function longestWait() {
  if (isLost) return RETRY;
  if (isOver()) return SOON;
  return heard ? EACH : OFTEN;
}

/** @returns {HTMLElement[]} */
const countdowns = () => Array.from(document.querySelectorAll("[data-until]"));
const left = (countdown) => Date.parse(countdown.dataset.until) - now();
const isOver = () => countdowns().some((each) => left(each) <= 0);

function count() {
  /** @type {HTMLElement} */
  const unscripted = part("today").querySelector("[data-unscripted]");
  unscripted.hidden = true;
  for (const each of countdowns()) {
    each.hidden = false;
    // of what comes after, nothing is known without the server
    const isKnown = !isLost || left(each) > 0;
    each.querySelector("strong").textContent = isKnown ? clock(left(each)) : "–";
  }
  showBallots();
}

function clock(time) {
  const seconds = Math.max(0, Math.ceil(time / SECOND));
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function showBallots() {
  /** @type {HTMLElement} */
  const shown = document.querySelector("[data-ballots]");
  const isToday = heard?.day === part("today").dataset.day;
  // an answer may have been written before what was heard meanwhile
  const ballots = Math.max(Number(shown.dataset.ballots), isToday ? heard.ballots : 0);
  const text = isOver() && isLost ? "–" : new Intl.NumberFormat(language).format(ballots);
  if (shown.textContent !== text) shown.textContent = text;
}

/** What is shown may not hold any more. */
function lose() {
  isLost = true;
  const at = new Date(seenAt).toLocaleString(language, {
    timeZone: "UTC", weekday: "long", hour: "2-digit", minute: "2-digit",
  });
  tell(document.body.dataset.lost.replace("{}", `${at} UTC`));
}

function tell(sentence) {
  if (part("connection").textContent !== sentence) part("connection").textContent = sentence;
}

/** Ask for the page, once at a time; what happens meanwhile is a reason to ask again. */
async function ask() {
  isAskedAgain = isAsking;
  if (isAsking) return;
  isAsking = true;
  const before = wakes;
  const page = await newest();
  askedAt = performance.now();
  isAsking = false;
  if (page && before === wakes) takeOver(page);
  else lose();
  if (isAskedAgain) ask();
}

/** @returns {Promise<Document | null>} the page as it is now; no other page that a network answers with */
async function newest() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(document.body.dataset.at, { signal, cache: "no-store" });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById("today") && page.getElementById("result") ? page : null;
  } catch {
    return null;
  }
}

function takeOver(page) {
  const madeOf = (from) => from.documentElement.lang + from.querySelector("script").getAttribute("src");
  if (madeOf(page) !== madeOf(document)) {  // the lottery was renewed, or speaks another language
    location.reload();
    return;
  }
  part("today").replaceWith(page.getElementById("today"));
  setClock();
  const result = page.getElementById("result");
  if (result.dataset.shows !== part("result").dataset.shows) {
    part("result").replaceWith(result);
    settle(result);
  }
  isLost = false;
  tell("");
  count();
}

/** Let the digits of a winning number come to rest, one by one; then it is said whose it is. */
function settle(result) {
  const number = result.querySelector("[data-drawn]");
  if (!number || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const drawn = number.textContent;
  const digits = drawn.replace(/\D/g, "").length;
  const startedAt = performance.now();
  const turn = () => {
    const settled = Math.floor((performance.now() - startedAt - FIRST_STOP) / NEXT_STOP) + 1;
    let place = 0;
    const turned = (digit) => {
      place += 1;
      return place <= settled ? digit : String(Math.floor(Math.random() * 10));
    };
    number.textContent = drawn.replace(/\d/g, turned);
    if (settled < digits) return;
    clearInterval(turning);
    result.ariaBusy = "false";
  };
  const turning = setInterval(turn, TURN);
  result.ariaBusy = "true";
  turn();
}

// News

async function listen() {
  for (;;) {
    const isFull = await follow().catch(() => false);
    heard = null;
    if (!isFull) ask();  // it ends every ten minutes; if it was cut, this finds out
    await pause((isFull ? EACH : RETRY) + Math.random() * SECOND);
  }
}

/** Follow the news until they end. @returns {Promise<boolean>} whether there is no room to hear them */
async function follow() {
  const mine = new AbortController();
  stream = mine;
  const end = () => mine.abort();
  let watch = setTimeout(end, SILENCE);
  try {
    const answer = await fetch(document.body.dataset.news, { signal: mine.signal });
    if (answer.status !== 200) return answer.status === 204 || answer.status === 429;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(watch);
      watch = setTimeout(end, SILENCE);
      const events = (unread + value).split("\n\n");
      unread = events.pop();
      for (const event of events) hear(event);
    }
  } finally {
    clearTimeout(watch);
    end();
  }
}

function hear(event) {
  const data = event.split("\n").find((line) => line.startsWith("data: "));
  if (!data) return;
  const version = heard?.version;
  heard = JSON.parse(data.slice("data: ".length));
  seenAt = now();
  if (heard.version !== version || heard.day !== part("today").dataset.day) ask();
  else showBallots();
}

/** Keep the display on, as long as this page is seen, where the browser can. */
async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  await navigator.wakeLock?.request("screen").catch(() => null);
}

document.addEventListener("visibilitychange", stayAwake);
addEventListener("offline", ask);
addEventListener("online", ask);
setClock();
count();
setInterval(tick, SECOND);
listen();
stayAwake();
