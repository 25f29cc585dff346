/**
 * Receipts that this browser keeps by itself: one for the newest ballot of each burst of presses.
 *
 * Load it with `type="module"`. It reads and writes `localStorage`, which belongs to the site alone, below keys like
 *
 *     receipt bob /draws/2026-11-22/ballots/9/receipt.json
 *
 * so that one person's receipts are not another's who uses the same browser, nor those of another
 * lottery below another path. The value is the receipt as it was sent, or empty while it is still
 * wanted: noted before it is asked for, so that a page that is left, or an answer that is lost, is
 * made up for by the next page. What it expects of pages:
 *
 *     <p data-keep="/draws/…/ballots/9/receipt.json" data-holder="bob" data-saved="…" data-failed="…">
 *     <section data-kept-receipts data-holder="bob">     how many there are, and a button
 *       <output></output> <button type="button" data-forget>
 *     </section>
 *
 * `lottery.js` tells by the event `receipt` that it has put one on the page.
 */

/** receipts that are kept in all, those of one person's day, and their characters */
const MOST = 200;
const MOST_OF_A_DAY = 10;
const MOST_CHARACTERS = 1_000_000;
/** characters of a receipt, at most; ours have some 2,000 */
const LONGEST = 20_000;
/** milliseconds without a press after which a burst is over */
const PAUSE = 1000;
/** milliseconds after which a receipt is asked for once more */
const AGAIN = [2000, 8000, 30_000];

const KEY = /^receipt (?<holder>.+) (?<address>\S*\/draws\/(?<day>\d{4}-\d\d-\d\d)\/ballots\/(?<number>\d+)\/receipt\.json)$/;

/** @typedef {{key: string, holder: string, address: string, day: string, number: number, text: string}} Kept */

/** Where receipts are kept; null where the browser lets sites keep nothing. */
function storage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** @returns {Kept[]} of all who use this browser, the oldest day first, then by number */
function everybodys() {
  const kept = storage();
  return Object.keys(kept ?? {}).filter((key) => KEY.test(key))
    .map((key) => ({ ...partsOf(key), text: kept.getItem(key) ?? "" }))
    .sort((one, other) => one.day.localeCompare(other.day) || one.number - other.number);
}

/** @param {string} key of ours */
function partsOf(key) {
  const { holder, address, day, number } = KEY.exec(key).groups;
  return { key, holder, address, day, number: Number(number) };
}

/**
 * What this browser keeps for somebody.
 *
 * @param {string} holder
 * @param {string} [below] the start of addresses, as that of a day
 * @returns {Kept[]} by day and number; a text that is empty is still wanted
 */
export function keptFor(holder, below = "") {
  return everybodys().filter((each) => each.holder === holder && each.address.startsWith(below));
}

/** Store a receipt, or that it is wanted; return whether the browser took it. */
function store(key, text) {
  for (;;) {
    try {
      storage().setItem(key, text);
      break;
    } catch {
      // full, or not to be used at all
      const oldest = everybodys().find((each) => each.key !== key && each.text);
      if (!oldest) return false;
      storage().removeItem(oldest.key);
    }
  }
  makeRoom(partsOf(key));
  return storage().getItem(key) !== null;
}

/** Let the oldest go: of this person's day, whose newest binds those before it, then of all days. */
function makeRoom({ holder, day }) {
  const ofDay = everybodys().filter((each) => each.holder === holder && each.day === day);
  for (const { key } of ofDay.slice(0, -MOST_OF_A_DAY)) storage().removeItem(key);
  const all = everybodys();
  let characters = all.reduce((sum, { key, text }) => sum + key.length + text.length, 0);
  for (let count = all.length; count > MOST || characters > MOST_CHARACTERS; count -= 1) {
    const oldest = all.shift();
    storage().removeItem(oldest.key);
    characters -= oldest.key.length + oldest.text.length;
  }
}

/** Note that a receipt is wanted; of a day's that have not come, the newest binds the others. */
function want(holder, address) {
  const key = `receipt ${holder} ${address}`;
  if (storage()?.getItem(key)) return true;
  const { day, number } = partsOf(key);
  for (const each of keptFor(holder)) {
    if (!each.text && each.day === day && each.number < number) storage().removeItem(each.key);
  }
  return store(key, "");
}

/** Ask for a receipt that is wanted, and return whether it is kept now. @param {Kept} wanted */
async function keep(wanted) {
  const answer = await fetch(wanted.address).catch(() => null);
  if (!answer?.ok || answer.redirected) return false;
  const text = await answer.text().catch(() => "");
  // forgotten meanwhile
  if (storage().getItem(wanted.key) === null) return false;
  return isReceiptOf(wanted, text) && store(wanted.key, text);
}

/** Whether a text looks like a ballot's receipt; its signature is checked once the day is drawn. */
function isReceiptOf({ holder, day, number }, text) {
  if (text.length > LONGEST) return false;
  try {
    const receipt = JSON.parse(text);
    return receipt.format === "daily-draw/v1 receipt" && receipt.holder.username === holder
      && receipt.ballot.startsWith(`daily-draw/v1 ballot\nday ${day}\nnumber ${number}\n`)
      && receipt.checkpoint.includes(`/${day}\n`);
  } catch {
    return false;
  }
}

/** Ask for the newest receipt that is wanted of each day, below an address or at all. */
export async function keepWanted(holder, below = "") {
  const wanted = keptFor(holder, below).filter(({ text }) => !text);
  // days long past are asked for on the page of their draw
  await Promise.all(wanted.slice(-2).map(keep));
}

let ending = 0;

/** Keep the receipt of what was pressed, once the burst is over. */
function keepPressed() {
  /** @type {HTMLElement | null} */
  const line = document.querySelector("[data-keep]");
  if (!line) return;
  const { keep: address, holder, saved, failed } = line.dataset;
  if (!want(holder, address)) {
    line.textContent = failed;
    return;
  }
  clearTimeout(ending);
  ending = setTimeout(() => attempt(0), PAUSE);

  async function attempt(tries) {
    const wanted = keptFor(holder, address)[0];
    const isKept = Boolean(wanted) && (Boolean(wanted.text) || await keep(wanted));
    // a newer press has a line of its own
    if (line.isConnected) line.textContent = isKept ? saved : failed;
    if (isKept || !wanted || tries === AGAIN.length) return;
    ending = setTimeout(() => attempt(tries + 1), AGAIN[tries]);
  }
}

/** Say how many are kept for somebody, and let them be deleted. */
function showKept(section) {
  const { holder } = section.dataset;
  const output = section.querySelector("output");
  const count = () => { output.textContent = String(keptFor(holder).filter(({ text }) => text).length); };
  section.querySelector("[data-forget]").addEventListener("click", () => {
    for (const { key } of keptFor(holder)) storage().removeItem(key);
    count();
    section.querySelector("details").open = false;
  });
  count();
}

document.addEventListener("receipt", keepPressed);
keepPressed();
for (const section of document.querySelectorAll("[data-kept-receipts]")) showKept(section);
for (const part of document.querySelectorAll("[data-holder]:not([data-keep], [data-kept])")) {
  keepWanted(/** @type {HTMLElement} */ (part).dataset.holder);
}
