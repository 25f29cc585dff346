/**
 * The public beacon drand: which round a day takes, and whether its signature holds
 * (daily-draw/v1, section 9: beacon).
 *
 * Only its scheme `bls-unchained-g1-rfc9380` is known here: signatures in G1, public keys in G2 of
 * BLS12-381, messages hashed to the curve as in RFC 9380.
 */

import { bls12_381 } from "../vendor/noble.js";
import { hash, u64be, utf8 } from "./bytes.js";
import { floorDivide, inRange } from "./dates.js";
import { rememberLast } from "./last.js";

export const SCHEME = "bls-unchained-g1-rfc9380";
/** the chain hash of drand's mainnet of three-second rounds */
export const QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
export const SIGNATURE_BYTES = 48;
export const PUBLIC_KEY_BYTES = 96;
const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/**
 * The name that fixes a network for good:
 * SHA-256(u32be(period) || i64be(genesis_time) || public_key || group_hash || beacon_id).
 *
 * @throws {RangeError} a number does not fit
 */
export function chainHash(info) {
  if (info.period >= 2n ** 32n || info.genesisTime >= 2n ** 63n) {
    throw new RangeError("period or genesis time do not fit into their fields");
  }
  return hash(
    u64be(info.period).subarray(4), u64be(info.genesisTime), info.publicKey, info.groupHash,
    utf8(info.beaconId),
  );
}

/** Tell whether a day was frozen when its first round's time had come, so that it had to move. */
export function isLate({ closes, frozen }, gap) {
  return frozen >= inRange(closes + gap);
}

/** From when on a day's round is due: the gap after closing, or after a late freezing. */
export function dueTime(freeze, gap) {
  return inRange((isLate(freeze, gap) ? freeze.frozen : freeze.closes) + gap);
}

/**
 * The first round at an instant or after it: ceil((t - genesis_time) / period) + 1.
 *
 * @param {{genesisTime: bigint, period: bigint}} info
 * @param {bigint} at
 */
export function roundAt(info, at) {
  const number = -floorDivide(info.genesisTime - at, info.period) + 1n;
  return number > 1n ? number : 1n;
}

/** When a round is signed, in seconds since 1970. */
export function timeOf(info, number) {
  return info.genesisTime + (number - 1n) * info.period;
}

/**
 * Tell whether a signature is the network's own for a round.
 *
 * By pairing, against SHA-256(u64be(round)) hashed to G1: e(signature, g2) = e(H, key).
 */
export function checkSignature(info, round, signature) {
  if (info.scheme !== SCHEME || round < 1n || round >= 2n ** 64n) return false;
  return isSigned(info.publicKey, round, signature);
}

const isSigned = rememberLast((publicKey, round, signature) => {
  const { shortSignatures, G1, G2 } = bls12_381;
  try {
    // both are on the curve and in the subgroup, or this throws
    const point = G1.Point.fromBytes(signature);
    const key = G2.Point.fromBytes(publicKey);
    if (point.is0() || key.is0()) return false;
    const message = shortSignatures.hash(hash(u64be(round)), DST);
    return shortSignatures.verify(point, message, key);
  } catch {
    return false;
  }
});
