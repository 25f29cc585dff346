/** Check `witnessed`: whether enough witnesses signed the journal in time
 * (daily-draw/v1, section 18: witnesses). */

import { chainHash, timeOf } from "./beacon.js";
import { equal, toHex } from "./bytes.js";
import { Failed, NotMade, demand } from "./checks.js";
import { checkCosignature, cosignedAt, isBy } from "./cosignature.js";
import { isSameKey, splitNote } from "./note.js";
import { BEACON } from "./records.js";

/** seconds by which a witness's clock may be behind the server's */
const CLOCK_BEHIND = 60n;
/** added where another journal might have as many, though no witness lied */
const MINORITY = "; as it needs no majority, others may have signed another list: two quorums must "
  + "share a witness";

/**
 * Check that as many witnesses signed a draw's checkpoint in time as a policy needs.
 *
 * @param {any} found a certificate and what is known of it
 * @param {import("./policy.js").Policy | null} policy
 * @returns {string} how many did
 */
export function checkWitnessed(found, policy) {
  if (!policy) throw new NotMade("no policy that names witnesses was given");
  // the checkpoint first, since only one that is believed can be witnessed
  const { checkpoint: { origin }, key, pinned, genesis, freeze, certificate } = found;
  demand(
    !policy.logs.length || [key, pinned ?? key].some((each) => (
      policy.logs.some((log) => log.name === origin && isSameKey(log, each))
    )),
    "the policy is for another log",
  );
  const counts = spanOf(genesis, freeze, certificate.beacon?.chainInfo);
  const { counted, unchecked, others } = signedBy(certificate.journal.checkpoint, policy, counts);
  const when = genesis.mode === BEACON ? " before the random number was due" : "";
  const who = `${counted.size} of ${policy.witnesses.length} witnesses signed the public log${when}`;
  if (policy.isMetBy(counted)) {
    return `${who}, as many as the policy needs${policy.isMajority ? "" : MINORITY}`;
  }
  if (policy.isMetBy(new Set([...counted, ...unchecked]))) {
    throw new NotMade("the signature of a witness is of a kind that cannot be checked here");
  }
  const late = others.size ? `; ${others.size} signed at another time` : "";
  throw new Failed(`${who}, fewer than the policy needs${late}`);
}

/** Return what tells whether a cosignature of a second counts: all do in mode operator. */
function spanOf({ mode, chain }, { round, frozen }, info) {
  if (mode !== BEACON) return () => true;
  if (round === null || !info || !chain || !equal(chainHash(info), chain)) {
    throw new NotMade("when the random number was due could not be believed");
  }
  const [begins, ends] = [frozen - CLOCK_BEHIND, timeOf(info, round)];
  return (time) => begins <= time && time < ends;
}

/** Whose cosignatures count, whose might, and whose are of another time only; as hex of keys. */
function signedBy(note, policy, counts) {
  const [counted, unchecked, others] = [new Set(), new Set(), new Set()];
  const { text, signed } = splitNote(note);
  for (const line of signed) {
    const key = policy.witnesses.map((witness) => witness.key).find((each) => isBy(line, each));
    if (!key) continue;
    let time;
    let into = counted;
    try {
      time = checkCosignature(line, key, text);
    } catch (error) {
      if (!(error instanceof NotMade)) throw error;
      time = cosignedAt(line, key);
      into = unchecked;
    }
    (counts(time) ? into : others).add(toHex(key.publicKey));
  }
  for (const key of counted) {
    unchecked.delete(key);
    others.delete(key);
  }
  return { counted, unchecked, others };
}
