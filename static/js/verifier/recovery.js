/**
 * Recovery statements: what was lost with a database, signed (daily-draw/v1, section 16: recovery).
 *
 * A statement ends one journal and begins the next; the keys of both sign it. One that states no
 * loss replaces the keys.
 */

import { equal, fromHex } from "./bytes.js";
import { NoteError, noteText, openNote, parseVkey } from "./note.js";
import {
  DAY, HASH, INSTANT, NAME, NUMBER, POSITIVE, RecordError, instant, day as dayIn, pattern,
} from "./records.js";

const KEY = `${NAME}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]+={0,2}`;
const RECOVERY = pattern("recovery", {
  name: NAME, key: KEY, ended: HASH, signed: POSITIVE, root: HASH, kept: NUMBER, left: HASH,
  next: KEY, begins: HASH, first: DAY, time: INSTANT, days: NUMBER,
}, `(?<lost>(?:day ${DAY} ${POSITIVE} ${NUMBER}\n)*)`);
const LOST = new RegExp(`day (?<day>${DAY}) (?<signed>${POSITIVE}) (?<left>${NUMBER})\n`, "g");

/**
 *     daily-draw/v1 recovery
 *     name lottery.example
 *     key lottery.example+f7a1ca9c+<base64>
 *     ended <64 hex>
 *     signed 3
 *     root <64 hex>
 *     kept 2
 *     left <64 hex>
 *     next lottery.example+7a1ca9c7+<base64>
 *     begins <64 hex>
 *     first 2026-11-22
 *     time 2026-11-22T14:46:08Z
 *     days 1
 *     day 2026-11-22 13 8
 *
 * @throws {RecordError}
 */
export function parseRecovery(text) {
  const found = RECOVERY.exec(text)?.groups;
  if (!found) throw new RecordError("this is not the record of a recovery, to the letter");
  const ballots = [...found.lost.matchAll(LOST)].map(({ groups }) => ({
    day: dayIn(groups.day), signed: BigInt(groups.signed), left: BigInt(groups.left),
  }));
  const first = dayIn(found.first);
  if (BigInt(ballots.length) !== BigInt(found.days)) {
    throw new RecordError(`this recovery has ${ballots.length} days, and says ${found.days}`);
  }
  if (ballots.some(({ day }, at) => at > 0 && day <= ballots[at - 1].day)) {
    throw new RecordError("the days of this recovery are not in order");
  }
  if (ballots.some(({ signed, left }) => signed <= left)) {
    throw new RecordError("a day of this recovery lost nothing");
  }
  for (const line of ["key", "next"]) {
    const { name } = keyIn(found[line], line);
    if (name !== found.name) {
      throw new RecordError(`the line ${line} of this recovery bears another name`);
    }
  }
  if (found.key === found.next || found.ended === found.begins) {
    throw new RecordError("this recovery leads from a key or journal to itself");
  }
  return {
    text,
    name: found.name,
    key: found.key,
    ended: fromHex(found.ended),
    signed: BigInt(found.signed),
    root: fromHex(found.root),
    kept: BigInt(found.kept),
    /** if not, the keys were replaced and all else is left */
    isLoss: ballots.length > 0 || found.signed !== found.kept || found.root !== found.left,
    next: found.next,
    begins: fromHex(found.begins),
    first,
    time: instant(found.time),
    ballots,
  };
}

/** @typedef {ReturnType<typeof parseRecovery>} Recovery */

/**
 * Return a recovery that is signed by the key that ends and by the one that follows; whose keys
 * these are must be known from elsewhere.
 *
 * @throws {NoteError | RecordError}
 */
export function openRecovery(note) {
  const recovery = parseRecovery(noteText(note));
  for (const key of [recovery.key, recovery.next]) openNote(note, parseVkey(key));
  return recovery;
}

/** @typedef {{led: Recovery[], after: Recovery[]}} Succession */

/**
 * Find what statements, in any order, say of the journal that begins with a genesis.
 *
 * @param {Recovery[]} recoveries
 * @param {Uint8Array} genesis H of the journal's genesis
 * @returns {Succession} those that led to it; and the one that ended it with those that ended the
 *   journals that followed: the oldest first, each from its key to the next
 * @throws {RecordError} one of them is not of the line of journals that this one stands in, or
 *   contradicts another one
 */
export function successionOf(recoveries, genesis) {
  const all = [...new Map(recoveries.map((each) => [each.text, each])).values()];
  const [led, after] = [[], []];
  const find = (end, at, among) =>
    all.find((each) => equal(each[end], at) && !among.includes(each));
  for (let found = find("begins", genesis, led); found;) {
    led.unshift(found);
    found = find("begins", found.ended, led);
    if (found?.next !== led[0].key) break;
  }
  for (let found = find("ended", genesis, after); found;) {
    after.push(found);
    found = find("ended", found.begins, after);
    if (found?.key !== after.at(-1).next) break;
  }
  // two that end, or begin, one journal in different ways show up here: one of them is left over
  if (led.length + after.length !== all.length || after.some((each) => led.includes(each))) {
    throw new RecordError(
      "a statement is of another journal than the certificate, or contradicts another one",
    );
  }
  return { led, after };
}

function keyIn(text, line) {
  try {
    return parseVkey(text);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new RecordError(`the line ${line} of this recovery: ${error.message}`);
  }
}
