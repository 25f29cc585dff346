// Draw screen: updates itself for days, over midnights, restarts and network failures.
// It reads /live as a stream of bytes, not with an EventSource, which hides keep-alive comments and
// stops for good after an error response. It fetches the page after each event, and every 30 seconds.
// While it can't, a line at the bottom says so, with the time of what the screen shows.
export {};  // a module, so that its names are not global

const { lang } = document.documentElement;
/** British formats for English, as on all pages */
const language = lang === "en" ? "en-GB" : lang;
const SECOND = 1000;
/** Interval of page fetches while /live is connected. */
const FETCH_INTERVAL = 30 * SECOND;
/** Interval of page fetches without /live. */
const FETCH_INTERVAL_ALONE = 10 * SECOND;
/** Interval of page fetches while a countdown is at zero and the next page has not come. */
const FETCH_INTERVAL_AT_ZERO = 2 * SECOND;
/** Wait after a failed request. */
const RETRY = 5 * SECOND;
/** Timeout for a whole response. */
const TIMEOUT = 10 * SECOND;
/** /live sends something every 20 seconds; after so long without, its connection is dead. */
const SILENCE = 50 * SECOND;
/** Longest gap between two ticks, unless the device slept. */
const LONGEST_TICK = 5 * SECOND;
/** Animation of a winning number: how often digits change, and when each stops, from the left. */
const DIGIT_INTERVAL = 120;
const FIRST_STOP = 1500;
const NEXT_STOP = 700;

/** Server time when `performance.now()` was zero; that clock is monotonic. */
let began = 0;
/** Device clock minus `performance.now()`: changes if the device slept or its clock was set. */
let drift = Date.now() - performance.now();
let tickedAt = performance.now();
let fetchedAt = performance.now();
let isFetching = false;
let isFetchDue = false;
/** Whether the screen may be outdated. */
let isOutdated = false;
/** When the screen was last known to be current, in server time. */
let seenAt = 0;
/** How many times the device slept; responses to earlier requests are dropped. */
let wakes = 0;
/** Latest event of the current /live connection. */
let liveState = null;
/** @type {AbortController | null} the current /live connection */
let stream = null;

const now = () => began + performance.now();
const part = (id) => document.getElementById(id);
const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

function setClock() {
  seenAt = Date.parse(part("today").dataset.now);
  began = seenAt - performance.now();
}

function tick() {
  const newDrift = Date.now() - performance.now();
  const hasSlept = Math.abs(newDrift - drift) > 2 * SECOND || performance.now() - tickedAt > LONGEST_TICK;
  drift = newDrift;
  tickedAt = performance.now();
  if (hasSlept) {  // or the clock was set: get the time from the server
    wakes += 1;
    markOutdated();
    stream?.abort();
    fetchPage();
  } else if (!isFetching && performance.now() - fetchedAt >= longestWait()) fetchPage();
  count();
}

function longestWait() {
  if (isOutdated) return RETRY;
  if (isOver()) return FETCH_INTERVAL_AT_ZERO;
  return liveState ? FETCH_INTERVAL : FETCH_INTERVAL_ALONE;
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
    // at zero, only the server knows what comes next
    const isKnown = !isOutdated || left(each) > 0;
    each.querySelector("strong").textContent = isKnown ? clock(left(each)) : "–";
  }
  showBallots();
}

function clock(time) {
  const seconds = Math.max(0, Math.ceil(time / SECOND));
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/**
 * Digits in groups, as the server writes them; Spanish would leave four together.
 *
 * @type {any}
 */
const grouped = { useGrouping: "always" };
const number = (value) => new Intl.NumberFormat(language, grouped).format(value);

function showBallots() {
  /** @type {HTMLElement} */
  const shown = document.querySelector("[data-ballots]");
  const isToday = liveState?.day === part("today").dataset.day;
  // the page may be older than the latest event
  const ballots = Math.max(Number(shown.dataset.ballots), isToday ? liveState.ballots : 0);
  const text = isOver() && isOutdated ? "–" : number(ballots);
  if (shown.textContent !== text) shown.textContent = text;
}

/** Mark the screen as outdated. */
function markOutdated() {
  isOutdated = true;
  const at = new Date(seenAt).toLocaleString(language, {
    timeZone: "UTC", weekday: "long", hour: "2-digit", minute: "2-digit",
  });
  showMessage(document.body.dataset.lost.replace("{}", `${at} UTC`));
}

function showMessage(sentence) {
  if (part("connection").textContent !== sentence) part("connection").textContent = sentence;
}

/** Fetch the page, one request at a time; if called meanwhile, fetch once more. */
async function fetchPage() {
  isFetchDue = isFetching;
  if (isFetching) return;
  isFetching = true;
  const before = wakes;
  const page = await fetchDocument();
  fetchedAt = performance.now();
  isFetching = false;
  if (page && before === wakes) takeOver(page);
  else markOutdated();
  if (isFetchDue) fetchPage();
}

/** @returns {Promise<Document | null>} the current page; null for an error or a captive portal's page */
async function fetchDocument() {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
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
  if (madeOf(page) !== madeOf(document)) {  // a new version of the lottery, or another language
    location.reload();
    return;
  }
  part("today").replaceWith(page.getElementById("today"));
  setClock();
  const result = page.getElementById("result");
  if (result.dataset.shows !== part("result").dataset.shows) {
    part("result").replaceWith(result);
    animate(result);
  }
  isOutdated = false;
  showMessage("");
  count();
}

/** Animate a winning number: its digits stop one by one, then its holder is shown. */
function animate(result) {
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
  const turning = setInterval(turn, DIGIT_INTERVAL);
  result.ariaBusy = "true";
  turn();
}

// Events of /live

async function listen() {
  for (;;) {
    const isFull = await follow().catch(() => false);
    liveState = null;
    if (!isFull) fetchPage();  // it ends every ten minutes; this fetch detects a lost connection
    await pause((isFull ? FETCH_INTERVAL : RETRY) + Math.random() * SECOND);
  }
}

/** Read events until the stream ends. @returns {Promise<boolean>} whether the server has no place for one more */
async function follow() {
  const connection = new AbortController();
  stream = connection;
  const end = () => connection.abort();
  let watch = setTimeout(end, SILENCE);
  try {
    const answer = await fetch(document.body.dataset.news, { signal: connection.signal });
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
      for (const event of events) handleEvent(event);
    }
  } finally {
    clearTimeout(watch);
    end();
  }
}

function handleEvent(event) {
  const data = event.split("\n").find((line) => line.startsWith("data: "));
  if (!data) return;
  const version = liveState?.version;
  liveState = JSON.parse(data.slice("data: ".length));
  seenAt = now();
  if (liveState.version !== version || liveState.day !== part("today").dataset.day) fetchPage();
  else showBallots();
}

/** Keep the display on while this page is visible, if the browser can. */
async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  await navigator.wakeLock?.request("screen").catch(() => null);
}

document.addEventListener("visibilitychange", stayAwake);
addEventListener("offline", fetchPage);
addEventListener("online", fetchPage);
setClock();
count();
setInterval(tick, SECOND);
listen();
stayAwake();
