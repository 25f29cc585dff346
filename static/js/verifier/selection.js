/** From seed to winners, without bias (daily-draw/v1, section 10: winning ballots). */

import { hash, toInteger, u64be, utf8 } from "./bytes.js";
import { NAMESPACE } from "./records.js";

const BITS = 256n;
const PICK = utf8(`${NAMESPACE}pick\n`);

/**
 * The seed of a day:
 *
 *     H(NS || "seed beacon\n"   || H(freeze) || H(signature))      mode beacon
 *     H(NS || "seed operator\n" || H(freeze))                      mode operator
 *
 * @param {Uint8Array} freeze the record, verbatim
 * @param {Uint8Array | null} signature of the day's round; null in mode operator
 */
export function seedOf(freeze, signature) {
  if (!signature) return hash(utf8(`${NAMESPACE}seed operator\n`), hash(freeze));
  return hash(utf8(`${NAMESPACE}seed beacon\n`), hash(freeze), hash(signature));
}

/** x_0, x_1, ...: x_i is H(NS || "pick\n" || seed || u64be(i)) as a big-endian integer. */
export function* pickStream(seed) {
  for (let counter = 0n; ; counter += 1n) yield toInteger(hash(PICK, seed, u64be(counter)));
}

/**
 * Take min(places, size) different numbers of 1..size from a stream of integers of so many bits.
 *
 * Integers at or above the greatest multiple of `size` are refused, so that no remainder is
 * likelier than another; a number that has a place already is passed over.
 *
 * @param {Iterable<bigint>} stream
 * @param {bigint} size
 * @param {bigint} places
 * @returns {{place: bigint, number: bigint, counter: bigint}[]}
 */
export function select(stream, size, places, bits = BITS) {
  const wanted = places < size ? places : size;
  const picks = new Map();
  if (wanted < 1n) return [];
  const range = 2n ** bits;
  const limit = range - (range % size);
  let counter = 0n;
  for (const x of stream) {
    const number = (x % size) + 1n;
    if (x < limit && !picks.has(number)) {
      picks.set(number, { place: BigInt(picks.size + 1), number, counter });
      if (BigInt(picks.size) === wanted) break;
    }
    counter += 1n;
  }
  return [...picks.values()];
}
