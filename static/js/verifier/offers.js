/**
 * Signed offers: names and prizes of the lotteries when a day closed (daily-draw/v1, section 17: offers).
 *
 * The list is a canonical JSON text, so one list has exactly one text. A signed note contains its hash.
 */

import { equal, fromBase64, hash, utf8 } from "./bytes.js";
import { formatDay } from "./dates.js";
import { FormatError, read } from "./certificate.js";
import { readJson } from "./json.js";
import { HASH_BYTES } from "./merkle.js";
import { NoteError, openNote } from "./note.js";
import { DAY, NAME, RecordError, day as dayIn } from "./records.js";

export const OFFERS = "daily-draw/v1 offers";
export const SIGNED_OFFERS = "daily-draw/v1 signed offers";
/** bytes of a list, and of the file that contains it; 3,000 of the longest prizes */
export const MAX_OFFERS_BYTES = 64 * 1024 * 1024;

const HEAD = new RegExp(`^(?<origin>${NAME}/offers/${DAY})\n(?<hash>[A-Za-z0-9+/]{43}=)\n$`);
const ONE_DAY = new RegExp(`^${DAY}$`);

/** @typedef {{id: bigint, name: string, prize: string}} Offered */

/**
 * Read a list of offers with its note, without verifying either.
 *
 * @param {string | Uint8Array} file
 * @returns {{text: string, note: string}}
 * @throws {Unreadable | FormatError}
 */
export function parseSignedOffers(file) {
  return read(readJson(file, MAX_OFFERS_BYTES), "the signed list of offers", (found) => {
    found.constant("format", SIGNED_OFFERS);
    return { text: found.text("text"), note: found.text("note") };
  });
}

/**
 * Verify note, hash and text, and return the offers of a lottery's day by id.
 *
 * @param {{text: string, note: string}} signed
 * @param {{name: string, id: string, publicKey: Uint8Array}} key of the journal that has the day
 * @param {string} name the lottery's
 * @param {bigint} day
 * @returns {Map<bigint, Offered>}
 * @throws {NoteError | FormatError | RecordError | Unreadable}
 */
export function openOffers({ text, note }, key, name, day) {
  const head = HEAD.exec(openNote(note, key))?.groups;
  const hashed = head ? fromBase64(head.hash) : new Uint8Array();
  if (hashed.length !== HASH_BYTES) {
    throw new NoteError("this is not a note of offers: origin and hash, a line each");
  }
  const origin = `${name}/offers/${formatDay(day)}`;
  if (head.origin !== origin) throw new NoteError(`the note is of ${head.origin}, not of ${origin}`);
  if (!equal(hash(utf8(text)), hashed)) {
    throw new NoteError("the list of offers is not the one that was signed");
  }
  const offers = parseOffers(text);
  if (offers.day !== day) {
    throw new FormatError(`the list of offers is of ${formatDay(offers.day)}, not of ${formatDay(day)}`);
  }
  return new Map(offers.lotteries.map((each) => [each.id, each]));
}

/**
 * Read the canonical text of a list of offers.
 *
 * @param {string} text
 * @throws {FormatError | RecordError | Unreadable}
 */
export function parseOffers(text) {
  const found = read(readJson(text, MAX_OFFERS_BYTES), "the list of offers", (root) => {
    root.constant("format", OFFERS);
    const day = root.text("day");
    if (!ONE_DAY.test(day)) throw new RecordError("the day of the list of offers is none");
    return {
      day, lotteries: root.list("lotteries").map((value, at) => read(value, `lotteries[${at}]`, offered)),
    };
  });
  const { lotteries } = found;
  if (lotteries.some(({ id }, at) => id <= (at ? lotteries[at - 1].id : 0n))) {
    throw new FormatError("the lotteries of the list of offers are not in the order of their ids");
  }
  const day = dayIn(found.day);
  if (formatOffers(found) !== text) {
    throw new FormatError("the list of offers is not written in the one canonical way");
  }
  return { day, lotteries };
}

/** Write a list of offers as its canonical text. JSON.stringify writes strings as in RFC 8785. */
export function formatOffers({ day, lotteries }) {
  const items = lotteries.map(({ id, name, prize }) =>
    `  {\n   "id": ${id},\n   "name": ${JSON.stringify(name)},\n   "prize": ${JSON.stringify(prize)}\n  }`);
  const list = items.length ? `[\n${items.join(",\n")}\n ]` : "[]";
  return `{\n "format": ${JSON.stringify(OFFERS)},\n "day": ${JSON.stringify(day)},\n "lotteries": ${list}\n}\n`;
}

function offered(found) {
  return { id: found.integer("id"), name: found.text("name"), prize: found.text("prize") };
}
