/**
 * The draw page checks its draw in the reader's own browser. Load it with `type="module"`; what
 * it expects of the page, and what it does there:
 *
 *     <section data-verifier data-certificate="/draws/2026-11-22/certificate.json"
 *              data-log="/log/2026-11-22/" data-offers="/draws/2026-11-22/offers.json"
 *              data-recoveries='["/log/recovery/1"]' data-words="{…}">   what it says, translated
 *       <input data-key>                      optional: the lottery's key, as the reader knows it
 *       <textarea data-policy></textarea>     optional: a policy that names the reader's witnesses
 *       <input type="checkbox" data-list>     optional: where ticked, every ballot is read too
 *       <button type="button" data-check hidden>
 *       <ol data-checks><li data-name="genesis">its sentence</li> …</ol>
 *       <output data-verdict aria-live="polite"></output>
 *       <button type="button" data-receipt="/draws/…/ballots/9/receipt.json" hidden>  any number
 *       <form data-receipts="/draws/…/ballots/"> with a field `number`, in place of such buttons
 *       <input type="file" data-receipt-file>   a receipt that the reader has saved
 *       <div data-kept="/draws/…/ballots/" data-holder="bob"><output></output></div>  kept.js
 *     </section>
 *
 * `data-offers` and `data-recoveries` are there where the day has such a list, and the lottery such
 * statements. The buttons are hidden until this script shows them, as is what has `data-scripted`; it hides
 * what has `data-unscripted`. A check that was made leaves
 * `data-verdict="ok | FAIL | --"` on its item, with `<strong data-mark>` before its sentence and,
 * where there is more to say, `<span data-detail>` after it or in its place (see report.js). Behind
 * each receipt's button stands an `<output data-verdict="ok | FAIL | --">`. While something is checked the section is
 * `aria-busy`. The verifier itself is loaded only once a button is pressed.
 */

import { say, speak } from "./verifier/words.js";

for (const section of document.querySelectorAll("[data-verifier]")) prepare(section);

function prepare(section) {
  speak(JSON.parse(section.dataset.words ?? "{}"));
  for (const part of section.querySelectorAll("[data-scripted]")) part.hidden = false;
  for (const part of section.querySelectorAll("[data-unscripted]")) part.hidden = true;
  const verdict = section.querySelector("output[data-verdict]");
  offer(section, section.querySelector("[data-check]"), verdict, checkDraw);
  for (const button of section.querySelectorAll("[data-receipt]")) {
    // there before it has anything to say, or screen readers would miss it
    const output = document.createElement("output");
    button.after(output);
    offer(section, button, output, () => checkReceipt(section, button.dataset.receipt));
  }
  for (const form of section.querySelectorAll("form[data-receipts]")) {
    const output = document.createElement("output");
    form.after(output);
    const address = () => `${form.dataset.receipts}${form.elements.number.value}/receipt.json`;
    const check = once(section, output, () => checkReceipt(section, address()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      check();
    });
  }
  for (const input of section.querySelectorAll("[data-receipt-file]")) {
    const output = document.createElement("output");
    input.after(output);
    const check = once(section, output, async () => {
      const { receiptIn } = await load();
      return checkReceipt(section, await receiptIn(input.files[0], section));
    });
    // the same file may be chosen again
    input.addEventListener("click", () => { input.value = ""; });
    input.addEventListener("change", () => { if (input.files.length) check(); });
  }
  const part = section.querySelector("[data-kept]");
  // loaded only where there is something to check
  if (part && isKept(part.dataset)) load().then(({ checkKept }) => checkKept(section, part), () => {});
}

function isKept({ holder, kept }) {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith(`receipt ${holder} ${kept}`));
  } catch {
    return false;  // the browser lets sites keep nothing
  }
}

/** A link to a field, by its own label. */
function linkTo(field) {
  const text = document.querySelector(`label[for="${field}"]`).textContent;
  return Object.assign(document.createElement("a"), { href: `#${field}`, textContent: text });
}

/** Show a button that makes a check. */
function offer(section, button, output, check) {
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", once(section, output, check));
}

/** Return what makes a check, one at a time, and ends in one sentence. */
function once(section, output, check) {
  return async () => {
    if (section.ariaBusy === "true") return;
    section.ariaBusy = "true";
    output.dataset.verdict = "";
    output.textContent = say("Checking …");
    const [found, sentence, field] = await check(section, output).catch(explained);
    // no longer busy before it says so: what changes in between need not be read out
    section.ariaBusy = "false";
    output.dataset.verdict = found;
    output.textContent = sentence;
    if (field) output.append(" ", linkTo(field));
  };
}

async function checkDraw(section, output) {
  const { verdictOf, conclusion, clearAll, markAll, verifier } = await load();
  const list = section.querySelector("[data-checks]");
  clearAll(list);
  const tiles = verifier.tilesFrom(section.dataset.log);
  const [key, policy] = [keyOf(section), policyOf(section)];
  const needed = policy ? ["witnessed"] : [];
  const checks = await verifier.verify(await fetched(section.dataset.certificate), {
    key,
    policy,
    recoveries: await recoveriesOf(section),
    offers: section.dataset.offers && await fetched(section.dataset.offers),
    ballots: section.querySelector("[data-list]")?.checked
      ? (size) => verifier.readRecords(tiles, size) : undefined,
    progress: (done, size) => {
      output.textContent = say("Checking … ballot %(done)s of %(size)s", { done, size });
    },
  });
  markAll(list, checks);
  return [verdictOf(checks, needed), conclusion(checks, { isPinned: Boolean(key), needed })];
}

/** @param {string | Uint8Array} given the address of a receipt, or a receipt */
async function checkReceipt(section, given) {
  const { verdictOfReceipt, conclusionOfReceipt, receiptAt, verifier } = await load();
  const [certificate, receipt] = await Promise.all([
    fetched(section.dataset.certificate), typeof given === "string" ? receiptAt(given) : given,
  ]);
  const checks = await verifier.verify(certificate, {
    key: keyOf(section), receipt, recoveries: await recoveriesOf(section), tiles: verifier.tilesFrom(section.dataset.log),
  });
  return [verdictOfReceipt(checks), conclusionOfReceipt(checks)];
}

export function keyOf(section) {
  return section.querySelector("[data-key]")?.value.trim() || undefined;
}

function policyOf(section) {
  const text = section.querySelector("[data-policy]")?.value;
  return text?.trim() ? text : undefined;
}

/** The lottery's statements of losses, as they are signed. */
export async function recoveriesOf(section) {
  const addresses = JSON.parse(section.dataset.recoveries ?? "[]");
  const notes = await Promise.all(addresses.map((each) => fetched(each)));
  return notes.map((note) => new TextDecoder().decode(note));
}

export async function load() {
  const [verifier, ...others] = await Promise.all([
    import("./verifier/verify.js"), import("./verifier/report.js"), import("./kept.js"),
  ]).catch(() => {
    // browsers remember it for as long as the page stands
    throw new Told(say("The checker couldn’t be loaded. Check your connection, then reload the page."));
  });
  return Object.assign({ verifier }, ...others);
}

/** The bytes at an address, as they are: what is hashed must not be decoded on the way. */
export async function fetched(address, missing = say("There’s nothing to check here yet. Come back after the draw."), field = "") {
  const answer = await fetch(address).catch(() => {
    throw new Told(say("We couldn’t reach the lottery. Check your connection, then press the button again."));
  });
  if (answer.status === 404) throw new Told(missing, field);
  if (answer.status === 401 || answer.status === 403 || answer.redirected) {
    throw new Told(say("Only the person who added this ballot can see this. Log in, then press the button again."));
  }
  if (!answer.ok) {
    throw new Told(say("The lottery answered with an error (%(status)s). Try again in a minute.", { status: answer.status }));
  }
  return new Uint8Array(await answer.arrayBuffer());
}

/** An error that says what to do, and in which field. */
export class Told extends Error {
  constructor(message, field = "") {
    super(message);
    this.field = field;
  }
}

export function explained(error) {
  if (error instanceof Told) return ["--", error.message, error.field];
  if (error.name === "NoteError") {
    return ["--", say("This isn’t a lottery’s key. Paste the whole line: name+number+letters.")];
  }
  if (error.name === "PolicyError") {
    return ["--", say("This isn’t a witness policy (%(why)s).", { why: error.message })];
  }
  if (error.name === "Unreadable") {
    return ["FAIL", say("We can’t read what the lottery sent: %(why)s. Reload the page and try again. If that doesn’t help, ask an organiser.", { why: error.message })];
  }
  return ["--", say("This browser couldn’t run the checks (%(why)s). Try another one.", { why: error.message })];
}
