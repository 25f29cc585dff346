/**
 * The three kinds of records that logs consist of (daily-draw/v1, section 4: records).
 *
 * A record is ASCII text: a first line with the kind, then lines `key value` in a fixed order, each
 * ended by a line feed. Nothing else parses.
 */

import { fromHex } from "./bytes.js";
import { parseDay, parseInstant } from "./dates.js";

/** NS, with the space at its end */
export const NAMESPACE = "daily-draw/v1 ";
export const OPERATOR = "operator";
export const BEACON = "beacon";

/** what a lottery may be called: visible ASCII without the plus sign, which ends the name in a key */
export const NAME = "[!-*,-~]{1,200}";
export const DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
export const INSTANT = `${DAY}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`;
export const POSITIVE = "[1-9][0-9]{0,17}";
export const NUMBER = `(?:0|${POSITIVE})`;
export const HASH = "[0-9a-f]{64}";

const BALLOT = pattern("ballot", {
  day: DAY, number: POSITIVE, lottery: POSITIVE, holder: HASH, time: INSTANT,
});
const GENESIS = pattern("genesis", {
  name: NAME, first: DAY, anchor: HASH, mode: "operator|beacon", chain: `${HASH}|none`, gap: NUMBER,
});
const FREEZE = pattern("freeze", {
  draw: NUMBER, day: DAY, closes: INSTANT, size: NUMBER, frozen: INSTANT, root: HASH,
  places: POSITIVE, secret: HASH, round: `${POSITIVE}|none`, previous: HASH,
});

/** A text is not a record of the kind asked for. */
export class RecordError extends Error {
  name = "RecordError";
}

/**
 *     daily-draw/v1 ballot
 *     day 2026-11-22
 *     number 9
 *     lottery 3
 *     holder <64 hex>
 *     time 2026-11-22T14:46:08Z
 *
 * @throws {RecordError}
 */
export function parseBallot(record) {
  const found = parse("ballot", BALLOT, record);
  return {
    day: day(found.day),
    number: BigInt(found.number),
    lottery: BigInt(found.lottery),
    holder: fromHex(found.holder),
    time: instant(found.time),
  };
}

/**
 *     daily-draw/v1 genesis
 *     name lottery.example
 *     first 2026-11-19
 *     anchor <64 hex>
 *     mode operator | beacon
 *     chain <64 hex> | none
 *     gap 600
 *
 * @throws {RecordError}
 */
export function parseGenesis(record) {
  const found = parse("genesis", GENESIS, record);
  return {
    name: found.name,
    first: day(found.first),
    anchor: fromHex(found.anchor),
    mode: found.mode,
    chain: found.chain === "none" ? null : fromHex(found.chain),
    gap: BigInt(found.gap),
  };
}

/**
 *     daily-draw/v1 freeze
 *     draw 3
 *     day 2026-11-22
 *     closes 2026-11-23T00:00:00Z
 *     size 13
 *     frozen 2026-11-23T00:00:01Z
 *     root <64 hex>
 *     places 1
 *     secret <64 hex>
 *     round 34196412 | none
 *     previous <64 hex>
 *
 * @throws {RecordError}
 */
export function parseFreeze(record) {
  const found = parse("freeze", FREEZE, record);
  return {
    draw: BigInt(found.draw),
    day: day(found.day),
    closes: instant(found.closes),
    size: BigInt(found.size),
    frozen: instant(found.frozen),
    root: fromHex(found.root),
    places: BigInt(found.places),
    secret: fromHex(found.secret),
    round: found.round === "none" ? null : BigInt(found.round),
    previous: fromHex(found.previous),
  };
}

/** @typedef {ReturnType<typeof parseFreeze>} Freeze */

/** The pattern of a record: its lines in their order, and what may follow them. */
export function pattern(kind, lines, rest = "") {
  const body = Object.entries(lines).map(([key, value]) => `${key} (?<${key}>${value})\n`);
  return new RegExp(`^${NAMESPACE}${kind}\n${body.join("")}${rest}$`);
}

function parse(kind, wanted, record) {
  const found = wanted.exec(record);
  if (!found) throw new RecordError(`this is not the record of a ${kind}, to the letter`);
  return found.groups;
}

/** @throws {RecordError} the calendar has no such day */
export function day(text) {
  return parseDay(text) ?? refuse(`${text} is not a day`);
}

/** @throws {RecordError} the calendar has no such instant */
export function instant(text) {
  return parseInstant(text) ?? refuse(`${text} is not an instant`);
}

function refuse(why) {
  throw new RecordError(why);
}
