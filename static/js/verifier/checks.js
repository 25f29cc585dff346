/** What a check is, and how it tells what it found. */

import { N_ } from "./words.js";

/** the checks in their order, with what each says */
export const CHECKS = new Map(Object.entries({
  format: "the certificate and the records in it have the right format",
  checkpoint: "the checkpoint of the public log is signed with the lottery's key",
  genesis: "the lottery's opening record comes first in its public log",
  freeze: "the day's closing record is in the right place in the log",
  day: "the draw is for the right day, and that day closed at midnight UTC",
  secret: "the day's secret is the one sealed in the opening record",
  round: "the random number comes from the source and round fixed in advance",
  beacon: "the random number is signed by its network",
  winners: "the winning numbers are the result of the published method",
  ballots: "each winning ballot is in that day's list",
  holders: "each winning ballot belongs to the person named",
  offers: "what each winning ballot won is on the list of prizes signed for that day",
  witnessed: "enough witnesses signed the public log in time",
  list: "the list of ballots is complete, in order, and the one that was locked",
  "receipt signed": "the receipt is signed with the lottery's key",
  "receipt included": "the receipt's ballot was in the list when the receipt was signed",
  "receipt kept": "the final list still has everything it had when the receipt was signed",
}));

/** found where no key was given */
export const UNPINNED = N_("the checkpoint of the public log is signed with the key in the certificate; whether it is the lottery's key, this certificate alone cannot tell");
/** found by `round` and `beacon` in mode operator */
export const WITHOUT_BEACON = N_("the lottery's server made the draw, without a public random number");
export const NO_BEACON = N_("there is no public random number to check");

/** one more, made only where a statement of a loss, or of new keys, is given */
export const RECOVERY = "recovery";
export const RECOVERY_HOLDS =
  "a signed statement leads from the key given to this journal's";

/** for whoever has a list, a policy or a receipt; the others every certificate needs */
export const NOT_NEEDED = new Set(
  ["offers", "witnessed", "list", "receipt signed", "receipt included", "receipt kept"],
);

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

/**
 * Tell whether all that was checked holds, and all that is needed was checked.
 *
 * @param {Check[]} checks
 * @param {string[]} [needed] names of checks that must have been made, beside those that every
 *   certificate needs
 */
export function holds(checks, needed = []) {
  return checks.every(({ name, verdict }) => verdict === OK
    || (verdict === NOT_MADE && NOT_NEEDED.has(name) && !needed.includes(name)));
}

/**
 * Go on where a condition holds.
 *
 * @throws {Failed} it does not
 */
export function demand(condition, refusal) {
  if (!condition) throw new Failed(refusal);
}
