/** What a check is, and how it tells what it found. */

/** the checks in their order, with what each says */
export const CHECKS = new Map(Object.entries({
  format: "the certificate and its records are well formed",
  checkpoint: "the journal's checkpoint is signed by the lottery's key, in the genesis' name",
  genesis: "the genesis is the journal's first record",
  freeze: "the freeze stands in the journal at its draw's place",
  day: "the day is the draw's, and closes at the midnight that ends it",
  secret: "the operator's secret is the one promised in the genesis",
  round: "mode, chain and round of the beacon are those that genesis and day fix",
  beacon: "the beacon's signature is the network's own",
  winners: "the winning numbers follow from freeze and beacon",
  ballots: "each winning ballot is of the day and stands in its log",
  holders: "the named holders are those of the winning ballots",
  list: "the list of ballots is whole, in order, and the one that was frozen",
  "receipt signed": "the receipt's checkpoint of the day is signed by the lottery's key",
  "receipt included": "the receipt's ballot is in the log that its checkpoint signs",
  "receipt kept": "the log that was frozen extends the one that the receipt's checkpoint signs",
}));

/** one more, made only where a statement of a loss is given */
export const RECOVERY = "recovery";
export const RECOVERY_HOLDS =
  "a signed statement of a loss leads from the key given to this journal's";

/** those of lists and receipts are for whoever has them; the others every certificate needs */
export const NOT_NEEDED = new Set(["list", "receipt signed", "receipt included", "receipt kept"]);

export const OK = "ok";
export const FAILED = "FAIL";
/** it was not made, which says nothing either way */
export const NOT_MADE = "--";

/** @typedef {"ok" | "FAIL" | "--"} Verdict */
/** @typedef {{name: string, verdict: Verdict, detail: string}} Check */

/** A check does not hold. */
export class Failed extends Error {
  name = "Failed";
}

/** A check cannot be made. */
export class NotMade extends Error {
  name = "NotMade";
}

/**
 * Make one check.
 *
 * @param {string} name
 * @param {() => string | Promise<string>} check returns what holds
 * @returns {Promise<Check>}
 */
export async function make(name, check) {
  try {
    return { name, verdict: OK, detail: await check() };
  } catch (error) {
    if (error instanceof NotMade) return notMade(name, error.message);
    // whatever else went wrong, it was not seen to hold
    return { name, verdict: FAILED, detail: error.message.slice(0, 200) };
  }
}

/** Say of a check that it was not made. @returns {Check} */
export function notMade(name, why) {
  return { name, verdict: NOT_MADE, detail: why };
}

/** Tell whether all that was checked holds, and all that a certificate needs was checked. */
export function holds(checks) {
  return checks.every(({ name, verdict }) =>
    verdict === OK || (verdict === NOT_MADE && NOT_NEEDED.has(name)));
}

/**
 * Go on where a condition holds.
 *
 * @throws {Failed} it does not
 */
export function demand(condition, refusal) {
  if (!condition) throw new Failed(refusal);
}
