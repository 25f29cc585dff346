/** Receipts on the page of their draw (draw.js): kept by this browser (receipts.js), in files, or asked for. */

import { Told, explained, fetched, keyOf, load, recoveriesOf } from "./draw.js";
import { keepWanted, keptFor } from "./receipts.js";
import { RECEIPT } from "./verifier/certificate.js";
import { readJson } from "./verifier/json.js";
import { N_, say } from "./verifier/words.js";

const NO_RECEIPT = N_("This file isn’t a receipt. Choose one that you saved here, such as receipt-2026-12-31-7.json.");

/** bytes of a receipt, at most; ours have some 2,000 */
const LARGEST_RECEIPT = 100_000;

/** Check the receipts that this browser keeps of the day, without being asked. */
export async function checkKept(section, part) {
  const { holder, kept: below } = part.dataset;
  const output = part.querySelector("output");
  output.dataset.verdict = "";
  output.textContent = say("Checking …");
  await keepWanted(holder, below);
  const kept = keptFor(holder, below);
  const [found, sentence] = await conclusionOfKept(section, kept).catch(explained);
  output.dataset.verdict = found;
  output.textContent = sentence;
  const links = kept.filter(({ text }) => text).map(({ day, number, text }) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `receipt-${day}-${number}.json`;
    link.textContent = say("Download the receipt for ballot %(number)s", { number });
    return link;
  });
  part.append(...links.flatMap((link) => [link, document.createElement("br")]));
}

/**
 * What follows from all receipts that are kept: the worst of them, and good only if all are.
 *
 * @param {import("./receipts.js").Kept[]} kept
 */
async function conclusionOfKept(section, kept) {
  const { NOT_MADE, OK, FAILED, conclusionOfReceipt, verdictOfReceipt, verifier } = await load();
  const [certificate, recoveries] = await Promise.all([fetched(section.dataset.certificate), recoveriesOf(section)]);
  const tiles = verifier.tilesFrom(section.dataset.log);
  const conclusions = [];
  for (const { number, text } of kept) {
    let [found, why] = [NOT_MADE, say("This website hasn’t sent the receipt, so this browser couldn’t save it.")];
    if (dayOf(text)) {
      const checks = await verifier.verify(certificate, { receipt: text, recoveries, tiles, key: keyOf(section) });
      [found, why] = [verdictOfReceipt(checks), conclusionOfReceipt(checks)];
    }
    conclusions.push([found, say("Ballot %(number)s: %(why)s", { number, why })]);
  }
  const worst = [FAILED, NOT_MADE].map((verdict) => conclusions.find(([found]) => found === verdict)).find(Boolean);
  return worst ?? [OK, say("All receipts that this browser saved match the final list (%(count)s).", { count: kept.length })];
}

/** Read a receipt from a file; refuse one that is none, or of another day, before it is judged. */
export async function receiptIn(file, section) {
  const bytes = new Uint8Array(await file.slice(0, LARGEST_RECEIPT).arrayBuffer());
  const day = dayOf(bytes);
  if (!day) throw new Told(say(NO_RECEIPT));
  if (!section.dataset.log.endsWith(`/${day}/`)) {
    throw new Told(say("This receipt is for %(day)s. Check it on the page of that draw.", { day }));
  }
  return bytes;
}

/** A receipt from the server, which may have none: then one that was kept is worth the more. */
export function receiptAt(address) {
  return fetched(address, say("This server has no such ballot of yours. If you hold a receipt for it, check it here:"), "receipt");
}

/** The day that a receipt says it is of; undefined where this is none. */
function dayOf(file) {
  try {
    const receipt = /** @type {Map<string, any>} */ (readJson(file));
    return receipt.get("format") === RECEIPT ? /\nday (\S+)\n/.exec(receipt.get("ballot"))?.[1] : undefined;
  } catch {
    return undefined;
  }
}
