/** What a receipt shows, held against a certificate of its day. */

import { equal, utf8 } from "./bytes.js";
import { dayOf, formatDay, formatInstant } from "./dates.js";
import { FormatError } from "./certificate.js";
import { holderHash } from "./chain.js";
import { CHECKS, Failed, NotMade, demand } from "./checks.js";
import { checkConsistency, checkInclusion, leafHash } from "./merkle.js";
import { NotSigned, openCheckpoint, parseVkey } from "./note.js";
import { parseBallot } from "./records.js";
import { proveConsistency } from "./tiles.js";
import { N_ } from "./words.js";

/** A receipt, and what is known of it while it is checked. */
export class ReceiptCase {
  #receipt;
  #key;
  #name;
  #freeze;
  #succession;
  /** the statements that came after the receipt was signed */
  #later = [];
  /** of the day's log when the receipt was given, once its signature was seen to hold */
  #checkpoint = null;

  /**
   * @param {object | FormatError | null} receipt null where none was given, or why it is none
   * @param {object} key the lottery's
   * @param {string} name the lottery's, as its genesis has it
   * @param {object} freeze of the day that the receipt should be of
   * @param {import("./recovery.js").Succession} [succession] what statements of losses say of the
   *   journal at hand; a receipt may be of before, or signed afterwards
   */
  constructor(receipt, key, name, freeze, succession = { led: [], after: [] }) {
    this.#receipt = receipt;
    this.#key = key;
    this.#name = name;
    this.#freeze = freeze;
    this.#succession = succession;
  }

  /** How many ballots the log had when the receipt was given; 0 where that is unknown. */
  get size() {
    return this.#checkpoint?.size ?? 0n;
  }

  /** The leaf that the receipt says its ballot is; undefined without a receipt. */
  get index() {
    return this.#receipt?.index;
  }

  /** Check who signed. */
  signed() {
    const checkpoint = this.#opened(this.#given().checkpoint);
    const origin = `${this.#name}/${formatDay(this.#freeze.day)}`;
    demand(
      checkpoint.origin === origin,
      `the receipt is of the log ${checkpoint.origin}, not of ${origin}`,
    );
    this.#checkpoint = checkpoint;
    return CHECKS.get("receipt signed");
  }

  /** Check that the ballot is its holder's, and in the log as it was then. */
  included() {
    const [receipt, checkpoint, { day }] = [this.#given(), this.#believed(), this.#freeze];
    const ballot = parseBallot(receipt.ballot);
    demand(
      ballot.day === day && dayOf(ballot.time) === day,
      `the receipt's ballot is not of ${formatDay(day)}`,
    );
    demand(
      ballot.number === receipt.index + 1n, "number and index of the receipt do not fit",
    );
    const leaf = leafHash(utf8(receipt.ballot));
    demand(
      checkInclusion(receipt.index, checkpoint.size, leaf, receipt.proof, checkpoint.root),
      "the receipt's ballot is not in the log that its checkpoint signs",
    );
    const opened = holderHash(receipt.holder.salt, receipt.holder.username);
    demand(equal(opened, ballot.holder), "the receipt's ballot is somebody else's");
    return `${CHECKS.get("receipt included")}: ballot ${ballot.number}`;
  }

  /**
   * Check that the log that was frozen extends the one that the receipt is of.
   *
   * By the list of ballots where it was read, or else by a proof out of the log's tiles.
   */
  async kept(listing, tiles) {
    const receipt = this.#given();
    const { day } = this.#freeze;
    const losses = this.#later.filter((recovery) =>
      hasLost(recovery, day, receipt.index + 1n, this.#believed().size));
    if (losses.length) return stands(receipt, listing, losses.at(-1));
    const [checkpoint, freeze] = [this.#believed(), this.#freeze];
    demand(
      checkpoint.size <= freeze.size,
      `the log had ${checkpoint.size} ballots when the receipt was given, and was frozen `
        + `with ${freeze.size}: ballots were dropped`,
    );
    demand(await this.#extends(listing, tiles), "the log was changed after the receipt was given");
    return CHECKS.get("receipt kept");
  }

  /** Open a checkpoint by the lottery's key, or by one that statements lead from or to. */
  #opened(checkpoint) {
    const { led, after } = this.#succession;
    const signers = [
      [this.#key, after],
      ...led.map(({ key }, place) => [parseVkey(key), [...led.slice(place), ...after]]),
      ...after.map(({ next }, place) => [parseVkey(next), after.slice(place + 1)]),
    ];
    let refusal;
    for (const [key, later] of signers) {
      try {
        const found = openCheckpoint(checkpoint, key);
        this.#later = later;
        return found;
      } catch (error) {
        if (!(error instanceof NotSigned)) throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }

  async #extends(listing, tiles) {
    const [{ size, root }, freeze] = [this.#checkpoint, this.#freeze];
    if (size === freeze.size) return equal(root, freeze.root);
    if (listing.isTheFrozen) {
      const listed = listing.roots.get(size);
      return listed !== undefined && equal(listed, root);
    }
    if (!tiles) throw new NotMade("it takes the list of ballots that was frozen");
    const proof = await proveConsistency(tiles, size, freeze.size);
    return checkConsistency(size, freeze.size, root, freeze.root, proof);
  }

  #given() {
    if (!this.#receipt) throw new NotMade(N_("no receipt was given"));
    if (this.#receipt instanceof FormatError) throw new Failed(this.#receipt.message);
    return this.#receipt;
  }

  #believed() {
    if (!this.#checkpoint) throw new NotMade("the receipt's checkpoint could not be believed");
    return this.#checkpoint;
  }
}

/** Tell whether a log lost ballots that a receipt's checkpoint counts, but not its own. */
function hasLost({ ballots, time }, day, number, size) {
  const lost = ballots.find((each) => each.day === day);
  if (!lost) return false;
  const when = formatInstant(time);
  demand(
    number <= lost.signed,
    `this ballot is missing, and the lottery's statement of ${when} does not admit it`,
  );
  demand(
    number <= lost.left,
    "this ballot was accepted and then lost with the lottery's records; its statement of "
      + `${when} admits it`,
  );
  demand(
    size <= lost.signed,
    `the log had ${size} ballots when the receipt was given, and the lottery's statement of `
      + `${when} admits to ${lost.signed}`,
  );
  return size > lost.left;
}

/** Check that a ballot is where it was, though others after it were lost. */
function stands(receipt, listing, { time }) {
  const when = formatInstant(time);
  if (!listing.isTheFrozen) {
    throw new NotMade(
      `the lottery lost later ballots of this day, and stated so on ${when}: get a new receipt of `
        + "this one",
    );
  }
  demand(
    listing.record !== undefined && equal(listing.record, utf8(receipt.ballot)),
    "the log that was frozen has another ballot in the place of the receipt's",
  );
  return "the log that was frozen has the receipt's ballot in its place; the lottery lost later "
    + `ones, and stated so on ${when}`;
}
