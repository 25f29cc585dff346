/** The list of all ballots of a day, held against what was frozen of it. */

import { equal } from "./bytes.js";
import { formatDay } from "./dates.js";
import { CHECKS, Failed, NotMade, demand } from "./checks.js";
import { Tree, leafHash } from "./merkle.js";
import { NAMESPACE } from "./records.js";
import { N_ } from "./words.js";

/** ballots after which progress is told and the page may breathe */
const BATCH = 4096n;

/** The roots of a list's first so many ballots, as far as they were asked for and read. */
export class Listing {
  /** whether it was read, and has the root that was frozen: another list shows nothing */
  isTheFrozen = false;
  /** @type {Map<bigint, Uint8Array>} */
  roots = new Map();
  /** the record at the index that is asked for, where the list has it */
  record = undefined;

  /** @param {bigint | undefined} asked */
  constructor(asked) {
    this.asked = asked;
  }
}

/**
 * Hash a day's ballots, which are read once, and say what holds of them.
 *
 * @param {Listing} listing takes the roots at `earlierSize` and at the end
 * @param {Iterable<Uint8Array> | AsyncIterable<Uint8Array> | undefined} ballots in their order
 * @param {import("./records.js").Freeze} freeze
 * @param {bigint} earlierSize at which the root is wanted, too
 * @param {(done: bigint, size: bigint) => void} progress told now and then
 * @throws {NotMade} there is no list
 * @throws {Failed} it is not whole, not in order, or not the one that was frozen
 */
export async function readList(listing, ballots, freeze, earlierSize, progress) {
  if (!ballots) throw new NotMade(N_("no list of ballots was given"));
  const { size } = freeze;
  const faultOf = formOf(formatDay(freeze.day));
  const tree = new Tree();
  let fault = "";
  let hasMore = false;
  const keep = () => listing.roots.set(tree.size, tree.root);
  try {
    if (!earlierSize) keep();
    for await (const record of ballots) {
      hasMore = tree.size === size;
      if (hasMore) break;
      // one that is malformed does not end it: a receipt may depend on the roots
      fault ||= faultOf(record, tree.size + 1n);
      if (tree.size === listing.asked) listing.record = record;
      tree.append(leafHash(record));
      if (tree.size === earlierSize) keep();
      if (tree.size % BATCH === 0n || tree.size === size) {
        progress(tree.size, size);
        await breath();
      }
    }
    keep();
  } catch (error) {
    if (error instanceof NotMade) throw error;
    throw new Failed(`the list cannot be read: ${error.message}`);
  }
  listing.isTheFrozen = tree.size === size && equal(tree.root, freeze.root);
  demand(!fault, fault);
  demand(tree.size === size, `the list ends after ${tree.size} of ${size} ballots`);
  demand(!hasMore, `the list has more than ${size} ballots`);
  demand(equal(tree.root, freeze.root), "the list of ballots is not the one that was frozen");
  return `${CHECKS.get("list")}: ${size} ballots`;
}

/** Let the browser draw and take clicks, which promises alone do not. */
function breath() {
  return new Promise((resume) => setTimeout(resume));
}

/** Return what finds a fault of form or order in the record that should have a number. */
function formOf(day) {
  const time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
  const pattern = new RegExp(
    `^${NAMESPACE}ballot\nday ${day}\nnumber ([1-9][0-9]{0,17})\nlottery [1-9][0-9]{0,17}\n`
    + `holder [0-9a-f]{64}\ntime ${day}T${time}Z\n$`,
  );
  // never throws, and gives no ASCII for what is none
  const decoder = new TextDecoder("windows-1252");
  return (record, number) => {
    const found = pattern.exec(decoder.decode(record));
    if (!found) return `record ${number} of the list is not that of a ballot of ${day}`;
    const named = BigInt(found[1]);
    return named === number ? "" : `record ${number} of the list has the number ${named}`;
  };
}
