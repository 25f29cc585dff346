/** What is promised before it is shown: the operator's secrets, and who holds a ballot. */

import { equal, hash, utf8 } from "./bytes.js";
import { NAMESPACE } from "./records.js";

export const SALT_BYTES = 16;
/** links of the chain: a draw a day for a hundred years (daily-draw/v1, section 7: secret chain) */
const DRAWS = 36_525n;

const HOLDER = utf8(`${NAMESPACE}holder\n`);
const CHAIN = utf8(`${NAMESPACE}chain\n`);

/** H(NS || "holder\n" || salt || username), which names nobody without the salt
 * (daily-draw/v1, section 4: ballot). */
export function holderHash(salt, username) {
  return hash(HOLDER, salt, utf8(username));
}

/** Go along the secret chain: c_(i+1) = H(NS || "chain\n" || c_i)
 * (daily-draw/v1, section 7: secret chain). */
export function followChain(link, steps) {
  for (let step = 0; step < steps; step += 1) link = hash(CHAIN, link);
  return link;
}

/** Tell whether a draw's secret is the one that the anchor promised. */
export function checkSecret(secret, draw, anchor) {
  return draw < DRAWS && equal(followChain(secret, Number(draw) + 1), anchor);
}
