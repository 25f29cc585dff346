/**
 * All checks of a certificate, each by its name (daily-draw/v1, section 11: checks).
 *
 * Written against the protocol and independent of the server's own verifier. Nothing here trusts
 * the server: what cannot be checked, because something needed for it was not given, is named with
 * the reason and never counts as checked.
 */

import {
  checkSignature, QUICKNET, SCHEME, chainHash, dueTime, isLate, roundAt,
} from "./beacon.js";
import { equal, hash, toHex, utf8 } from "./bytes.js";
import { dayOf, formatDay, formatInstant, midnightOf } from "./dates.js";
import { FormatError, parseCertificate, parseReceipt } from "./certificate.js";
import { checkSecret, holderHash } from "./chain.js";
import {
  CHECKS, Failed, NO_BEACON, NotMade, OK, RECOVERY, RECOVERY_HOLDS, UNPINNED, WITHOUT_BEACON,
  demand, holds, make, notMade,
} from "./checks.js";
import { Unreadable } from "./json.js";
import { Listing, readList } from "./listing.js";
import { EMPTY_ROOT, checkInclusion, leafHash } from "./merkle.js";
import { NoteError, isSameKey, openCheckpoint, parsePin, parseVkey } from "./note.js";
import { ReceiptCase } from "./receipt.js";
import { BEACON, OPERATOR, parseBallot, parseFreeze, parseGenesis } from "./records.js";
import { openOffers, parseSignedOffers } from "./offers.js";
import { Policy, PolicyError } from "./policy.js";
import { openRecovery, successionOf } from "./recovery.js";
import { pickStream, seedOf, select } from "./selection.js";
import { checkWitnessed } from "./witnessed.js";
import { readRecords, tilesFrom } from "./tiles.js";

export { CHECKS, NoteError, PolicyError, Unreadable, holds, parseVkey, readRecords, tilesFrom };

/** @typedef {Iterable<Uint8Array> | AsyncIterable<Uint8Array>} Ballots */

/**
 * Make all checks of a certificate.
 *
 * @param {string | Uint8Array} certificate JSON, as it was downloaded
 * @param {object} [given]
 * @param {string} [given.key] the lottery's verifier key, as the verifier noted it, with H of its
 *   genesis or without (`parsePin`); without a key the certificate's own word is taken, and the check `checkpoint` says so
 * @param {Ballots | ((size: bigint) => Ballots)} [given.ballots] the day's records in their order,
 *   for the check `list`, or what gives so many of them; read once
 * @param {string | Uint8Array} [given.receipt] JSON, for the checks of it
 * @param {string[]} [given.recoveries] statements of losses that the lottery has published, signed
 *   notes; where one leads from `key` to the certificate's own key, that is believed as `key` is
 * @param {string | Uint8Array} [given.offers] the day's signed list of offers, JSON, for the check
 *   `offers`; whatever is wrong with it, this check alone fails
 * @param {string | Uint8Array} [given.policy] whose cosignatures the journal's checkpoint needs, for
 *   the check `witnessed`
 * @param {import("./tiles.js").Tiles} [given.tiles] the day's log, for the check `receipt kept`
 *   where there is no list
 * @param {(done: bigint, size: bigint) => void} [given.progress] told, now and then, how many of
 *   the list's ballots have been read
 * @returns {Promise<import("./checks.js").Check[]>} all checks in the order of `CHECKS`, and
 *   `RECOVERY` before those of lists and receipts where a statement is given
 * @throws {Unreadable} certificate or receipt are no JSON at all
 * @throws {NoteError} the key given is none
 * @throws {PolicyError} the policy given is none
 */
export async function verify(
  certificate, { key, ballots, receipt, recoveries = [], offers, policy, tiles, progress } = {},
) {
  const pinned = key ? parsePin(key) : null;
  const trusted = policy === undefined ? null : new Policy(policy);
  const receiptOrFault = receipt === undefined ? null : orFault(() => parseReceipt(receipt));
  const parsed = orFault(() => parseCertificate(certificate));

  let found;
  const form = await make("format", () => {
    found = new Case(parsed, pinned, recoveries);
    return CHECKS.get("format");
  });
  if (!found) {
    const [, ...others] = CHECKS.keys();
    return [form, ...others.map((name) => notMade(name, "the certificate is not well formed"))];
  }
  const checks = [form];
  for (const [name, check] of OF_THE_CERTIFICATE) checks.push(await make(name, () => check(found)));

  const { genesis, freeze } = found;
  let succession;
  if (recoveries.length) {
    const recovery = await make(RECOVERY, () => checkRecovery(found));
    checks.push(recovery);
    // what leads from no known key says nothing of receipts
    if (recovery.verdict === OK) succession = found.succession;
  }
  checks.push(await make("offers", () => checkOffers(found, offers)));
  checks.push(await make("witnessed", () => checkWitnessed(found, trusted)));
  const ofReceipt = new ReceiptCase(receiptOrFault, found.key, genesis.name, freeze, succession);
  const signed = await make("receipt signed", () => ofReceipt.signed());
  const included = await make("receipt included", () => ofReceipt.included());
  const listing = new Listing(ofReceipt.index);
  const whole = await make("list", () => {
    const list = typeof ballots === "function" ? ballots(freeze.size) : ballots;
    return readList(listing, list, freeze, ofReceipt.size, progress ?? (() => {}));
  });
  const kept = await make("receipt kept", () => ofReceipt.kept(listing, tiles));
  return [...checks, whole, signed, included, kept];
}

/** A certificate and what is known of it while it is checked. */
class Case {
  #checkpoint = null;

  constructor(certificate, pinned, recoveries) {
    if (certificate instanceof FormatError) throw certificate;
    this.certificate = certificate;
    this.genesis = parseGenesis(certificate.genesis);
    this.freeze = parseFreeze(certificate.freeze);
    this.winners = certificate.winners.map((winner) => (
      { ...winner, record: utf8(winner.ballot), ballot: parseBallot(winner.ballot) }
    ));
    const hint = parseVkey(certificate.logKey);
    /** the key that was given, which may lead to the certificate's; or null */
    this.pinned = pinned?.key ?? null;
    this.key = pinned?.key ?? hint;
    /** H of the genesis that was noted with the key, if any */
    this.notedGenesis = pinned?.genesis ?? null;
    /** H of the genesis of the journal of the key that was given */
    this.firstGenesis = hash(utf8(certificate.genesis));
    /** what is wrong with a statement, or null */
    this.fault = null;
    if (recoveries.length) this.follow(recoveries, hint);
    this.namesItsKey = isSameKey(hint, this.key);
  }

  /** Follow statements from the key that is pinned to the certificate's. */
  follow(recoveries, hint) {
    try {
      this.succession = successionOf(
        recoveries.map(openRecovery), hash(utf8(this.certificate.genesis)),
      );
    } catch (error) {
      this.fault = error;
      return;
    }
    if (isSameKey(hint, this.key)) return;
    const known = genesisOf(this.succession, this.key, this.certificate.logKey);
    if (known) {
      this.key = hint;
      this.firstGenesis = known;
    }
  }

  /** The journal's checkpoint, once its signature was seen to hold. */
  get checkpoint() {
    if (!this.#checkpoint) throw new NotMade("the journal's checkpoint could not be believed");
    return this.#checkpoint;
  }

  set checkpoint(checkpoint) {
    this.#checkpoint = checkpoint;
  }
}

const OF_THE_CERTIFICATE = new Map(Object.entries({
  checkpoint(found) {
    demand(found.namesItsKey, "the certificate names another key than the one given");
    const checkpoint = openCheckpoint(found.certificate.journal.checkpoint, found.key);
    demand(
      checkpoint.origin === found.genesis.name && found.genesis.name === found.key.name,
      "checkpoint, genesis and key bear different names",
    );
    found.checkpoint = checkpoint;
    if (found.pinned) return CHECKS.get("checkpoint");
    return UNPINNED;
  },

  genesis({ checkpoint, certificate, notedGenesis, firstGenesis }) {
    const leaf = leafHash(utf8(certificate.genesis));
    demand(
      checkInclusion(
        0n, checkpoint.size, leaf, certificate.journal.genesisProof, checkpoint.root,
      ),
      "the genesis is not the first record of the journal",
    );
    demand(
      !notedGenesis || equal(notedGenesis, firstGenesis),
      "this is another opening record than the one that was noted with the key",
    );
    return CHECKS.get("genesis");
  },

  freeze({ checkpoint, certificate, freeze }) {
    const { index, proof } = certificate.journal;
    demand(
      index === freeze.draw + 1n,
      `the freeze of draw ${freeze.draw} cannot be record ${index} of the journal`,
    );
    const leaf = leafHash(utf8(certificate.freeze));
    demand(
      checkInclusion(index, checkpoint.size, leaf, proof, checkpoint.root),
      "the freeze does not stand in the journal at its place",
    );
    demand(
      freeze.draw > 0n || equal(freeze.previous, hash(utf8(certificate.genesis))),
      "the first freeze does not follow the genesis",
    );
    return CHECKS.get("freeze");
  },

  day({ genesis, freeze }) {
    const day = genesis.first + freeze.draw;
    demand(
      freeze.day === day,
      `draw ${freeze.draw} is of ${formatDay(day)}, not of ${formatDay(freeze.day)}`,
    );
    demand(
      freeze.closes === midnightOf(day + 1n),
      `${formatDay(day)} does not close at the midnight that ends it`,
    );
    demand(freeze.frozen >= freeze.closes, "the day was frozen before it closed");
    return CHECKS.get("day");
  },

  secret({ genesis, freeze }) {
    demand(
      checkSecret(freeze.secret, freeze.draw, genesis.anchor),
      "the operator's secret is not the one promised in the genesis",
    );
    return CHECKS.get("secret");
  },

  round({ genesis, freeze, certificate: { beacon } }) {
    if (genesis.mode === OPERATOR) {
      demand(
        genesis.chain === null && genesis.gap === 0n && freeze.round === null && beacon === null,
        "mode operator has neither chain, nor gap, nor round, nor beacon",
      );
      return WITHOUT_BEACON;
    }
    if (!beacon) throw new Failed("mode beacon, but there is no beacon");
    const info = beacon.chainInfo;
    demand(
      genesis.chain !== null && equal(chainHash(info), genesis.chain),
      "the beacon's chain is not the one that the genesis names",
    );
    demand(
      info.scheme === SCHEME && info.period > 0n,
      "the beacon's scheme is not the one of this protocol",
    );
    const number = roundAt(info, dueTime(freeze, genesis.gap));
    demand(freeze.round === number, `the day fixes round ${number}, not ${freeze.round}`);
    demand(beacon.round === number, `the beacon is of round ${beacon.round}, not ${number}`);
    const moved = isLate(freeze, genesis.gap) ? ", moved since the day was frozen late" : "";
    // whoever runs a network of their own knows its numbers beforehand
    const foreign = toHex(genesis.chain) === QUICKNET
      ? "" : ", of a network that is not drand's quicknet: trust it as you trust who runs it";
    return `the random number is from round ${number}${moved}${foreign}`;
  },

  beacon({ genesis, certificate: { beacon } }) {
    if (genesis.mode === OPERATOR) return NO_BEACON;
    if (!beacon) throw new Failed("there is no beacon");
    demand(
      checkSignature(beacon.chainInfo, beacon.round, beacon.signature),
      "the beacon's signature is not the network's",
    );
    return CHECKS.get("beacon");
  },

  winners({ genesis, freeze, certificate }) {
    if (genesis.mode === BEACON && !certificate.beacon) {
      throw new Failed("without the beacon nothing follows");
    }
    const signature = genesis.mode === BEACON ? certificate.beacon.signature : null;
    const given = certificate.winners;
    // before any is drawn: how many there could be is read from the file
    const count = freeze.places < freeze.size ? freeze.places : freeze.size;
    demand(
      BigInt(given.length) === count, `there are ${given.length} winning ballots, not ${count}`,
    );
    const seed = seedOf(utf8(certificate.freeze), signature);
    const picks = select(pickStream(seed), freeze.size, freeze.places);
    const isDrawn = ({ place, number, counter }, at) =>
      place === picks[at].place && number === picks[at].number && counter === picks[at].counter;
    demand(given.every(isDrawn), "the winning numbers are not those drawn");
    return CHECKS.get("winners");
  },

  ballots({ freeze, winners }) {
    const { day, size, root } = freeze;
    for (const { place, number, record, ballot, proof } of winners) {
      const what = `the ballot of place ${place}`;
      demand(ballot.number === number, `${what} has another number`);
      demand(
        ballot.day === day && dayOf(ballot.time) === day, `${what} is not of ${formatDay(day)}`,
      );
      demand(
        checkInclusion(ballot.number - 1n, size, leafHash(record), proof, root),
        `${what} does not stand in the day's log`,
      );
    }
    if (size === 0n) {
      demand(equal(root, EMPTY_ROOT), "a day without ballots has another root");
      return "the day has no ballots";
    }
    return CHECKS.get("ballots");
  },

  holders({ winners }) {
    for (const { place, holder, ballot } of winners) {
      demand(
        equal(holderHash(holder.salt, holder.username), ballot.holder),
        `the ballot of place ${place} is somebody else's`,
      );
    }
    return CHECKS.get("holders");
  },
}));

/**
 * H of the genesis of the journal of a pinned key that leads to a certificate's key: either it has
 * signed over to that one, through all in between; or it has taken over from it, and names it as that
 * of the journal that ended. Undefined if it has done neither.
 */
function genesisOf({ led, after }, pinned, ofCertificate) {
  const isPinned = (key) => isSameKey(parseVkey(key), pinned);
  const before = led.at(-1)?.next === ofCertificate && led.find(({ key }) => isPinned(key));
  if (before) return before.ended;
  return after[0]?.key === ofCertificate ? after.find(({ next }) => isPinned(next))?.begins : undefined;
}

/** Check what statements of losses, or of new keys, say of the certificate's journal. */
function checkRecovery(found) {
  const { fault, succession, namesItsKey, certificate, genesis, freeze } = found;
  if (fault) throw fault;
  const { led, after: [ended] } = succession;
  if (led.length) {
    const last = led.at(-1);
    demand(
      namesItsKey && last.next === certificate.logKey,
      "the statement does not lead from the key given to the certificate's",
    );
    demand(
      last.first === genesis.first,
      `the statement says that the journal begins with ${formatDay(last.first)}`,
    );
  }
  if (!ended) return RECOVERY_HOLDS;
  demand(
    namesItsKey && ended.key === certificate.logKey,
    "the statement is not by the key of the certificate",
  );
  const index = freeze.draw + 1n;
  demand(index < ended.signed, "the journal had ended before this draw");
  const when = formatInstant(ended.time);
  if (!ended.isLoss) {
    const { size, root } = found.checkpoint;
    demand(
      size < ended.signed || (size === ended.signed && equal(root, ended.root)),
      "the certificate is of another journal than the one that the statement ended",
    );
    return `the lottery replaced its keys on ${when}, and stated that nothing was lost; this result `
      + "is from before";
  }
  return index >= ended.kept
    ? `the lottery stated on ${when} that it lost this result after it was published`
    : `the lottery stated on ${when} that it lost later records; this result is from before`;
}

/** Check that what each winning ballot is of stands on the list that was signed for the day. */
function checkOffers(found, given) {
  if (given === undefined) throw new NotMade("no signed list of prizes was given");
  // the checkpoint first, since its key must have signed this as well
  const { checkpoint: { origin }, key, freeze: { day } } = found;
  const offered = openOffers(parseSignedOffers(given), key, origin, day);
  for (const { place, ballot: { lottery } } of found.winners) {
    demand(
      offered.has(lottery), `lottery ${lottery}, of the ballot of place ${place}, is not on the list`,
    );
  }
  return CHECKS.get("offers");
}

/** Read, or say why it has not the form; what is no JSON at all is thrown further. */
function orFault(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}
