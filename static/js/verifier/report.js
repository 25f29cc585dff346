/** What the checks found, in words on a page. */

import { CHECKS, FAILED, NOT_MADE, NOT_NEEDED, OK, WITHOUT_BEACON, holds } from "./checks.js";
import { say } from "./words.js";

export { FAILED, NOT_MADE, OK };

/** said, not only coloured */
function markOf(verdict) {
  if (verdict === OK) return say("Passed.");
  return verdict === FAILED ? say("Failed.") : say("Not checked.");
}

/**
 * Mark the items of a list, `<li data-name="genesis">its sentence</li>`, with what was found.
 *
 * Each gets `data-verdict`, a first word in `<strong data-mark>`, and what its sentence does not
 * say in `<span data-detail>`. Where a check holds, that takes the place of the sentence, which is
 * kept in a hidden `<span data-says>`: without a beacon nothing should be read of its signature.
 */
export function markAll(list, checks) {
  for (const { name, verdict, detail } of checks) {
    const item = list.querySelector(`[data-name="${name}"]`);
    if (!item) continue;
    clear(item);
    const says = part("span", "says", "");
    says.append(...item.childNodes);
    item.dataset.verdict = verdict;
    item.append(part("strong", "mark", markOf(verdict)), " ", says);
    if (detail !== CHECKS.get(name)) {
      says.hidden = verdict === OK;
      item.append(" ", detailOf(detail));
    }
  }
}

/** Take all marks away again. */
export function clearAll(list) {
  for (const item of list.children) clear(item);
}

/** Say in a few sentences what follows from all checks. */
export function conclusion(checks, { isPinned, needed = [] }) {
  // a receipt that fails is another's word, or tells of the log: see conclusionOfReceipt
  const ofDraw = checks.filter(({ name }) => !name.startsWith("receipt "));
  const failed = namesOf(ofDraw, FAILED);
  if (failed.join() === "witnessed") {
    // witnesses may have been down: that convicts nobody
    const { detail } = checks.find(({ name }) => name === "witnessed");
    return say("Your witnesses don’t confirm this draw: %(why)s. No other check failed.", { why: detail });
  }
  if (failed.length) {
    return say("This draw is not correct. Failed: %(names)s. Keep the certificate: it shows what the lottery claims.", { names: failed.join(", ") });
  }
  const open = namesOf(ofDraw, NOT_MADE)
    .filter((name) => needed.includes(name) || !NOT_NEEDED.has(name));
  if (open.length) {
    return say("Not everything could be checked. Still open: %(names)s.", { names: open.join(", ") });
  }
  const made = namesOf(ofDraw, OK).length;
  const sentences = [say("This draw is correct: all %(count)s checks passed on this device.", { count: made })];
  if (checks.some(({ detail }) => detail === WITHOUT_BEACON)) {
    sentences.push(
      say("They can’t show that whoever runs the server added no late ballots to change the result."),
    );
  }
  if (!isPinned) {
    sentences.push(
      say("We used the key in the certificate. Compare it with the lottery’s key from another source."),
    );
  }
  return sentences.join(" ");
}

/** The verdict on all checks of a certificate. */
export function verdictOf(checks, needed = []) {
  if (holds(checks, needed)) return OK;
  return namesOf(checks, FAILED).length ? FAILED : NOT_MADE;
}

/** The verdict on a receipt: unlike a certificate, it needs the checks of receipts, all of them. */
export function verdictOfReceipt(checks) {
  const steps = stepsOfReceipt(checks);
  if (steps.some(({ verdict }) => verdict === FAILED)) return FAILED;
  return holds(checks) && steps.every(({ verdict }) => verdict === OK) ? OK : NOT_MADE;
}

/** Say what follows for the holder of a receipt. */
export function conclusionOfReceipt(checks) {
  const steps = stepsOfReceipt(checks);
  const failed = steps.find(({ verdict }) => verdict === FAILED);
  // what this lottery has not signed says nothing of it
  if (failed?.name === "receipt signed") {
    return say("This isn’t a receipt of this lottery for this draw: %(why)s. It proves nothing.", { why: failed.detail });
  }
  if (failed) {
    return say("This receipt doesn’t match the draw: %(why)s. Keep the receipt and the certificate. Together they prove it to anyone.", { why: failed.detail });
  }
  if (!holds(checks)) {
    return say("The draw’s certificate failed its checks, so we can’t compare the receipt with it.");
  }
  const open = steps.find(({ verdict }) => verdict === NOT_MADE);
  if (open) return say("Not all of this receipt could be checked: %(why)s.", { why: open.detail });
  return say("Yes, this ballot was in the draw. Your receipt matches the final list.");
}

/** A detail, written as a sentence. */
export function sentence(detail) {
  const end = /[.!?]$/.test(detail) ? "" : ".";
  return detail[0].toUpperCase() + detail.slice(1) + end;
}

function stepsOfReceipt(checks) {
  return checks.filter(({ name }) => name.startsWith("receipt "));
}

function namesOf(checks, wanted) {
  return checks.filter(({ verdict }) => verdict === wanted).map(({ name }) => name);
}

/** What a check found; a reason for specialists, in English where the page has no words for it. */
function detailOf(detail) {
  const element = part("span", "detail", sentence(say(detail)));
  if (say(detail) === detail) element.lang = "en";
  return element;
}

function clear(item) {
  const says = item.querySelector("[data-says]");
  if (!says) return;
  delete item.dataset.verdict;
  item.replaceChildren(...says.childNodes);
}

function part(tag, name, text) {
  const element = document.createElement(tag);
  element.dataset[name] = "";
  element.textContent = text;
  return element;
}
