/**
 * The verifier as one saved file: somebody chooses or drops a certificate, and sees every check.
 *
 * Only this page's own markup, templates/verifier/saved.html, is known here.
 */

import { CERTIFICATE, RECEIPT } from "./certificate.js";
import { CHECKS, OK } from "./checks.js";
import { bundlesOf, recordsOf } from "./folder.js";
import { readJson } from "./json.js";
import { MAX_OFFERS_BYTES, SIGNED_OFFERS } from "./offers.js";
import { isLikePolicy } from "./policy.js";
import {
  clearAll, conclusion, conclusionOfReceipt, markAll, sentence, verdictOf,
  verdictOfReceipt,
} from "./report.js";
import { verify } from "./verify.js";

const STATEMENT = "daily-draw/v1 recovery";
const POLICY = "policy";
/** what else may be chosen beside a certificate, by what such a file says of itself */
const BESIDE = [RECEIPT, SIGNED_OFFERS];

const form = document.querySelector("form");
const list = document.querySelector("[data-checks]");
const verdict = document.querySelector("output");
/** what was chosen, by its kind @type {Map<string, Uint8Array>} */
const files = new Map();
/** the lottery's statements, those that were chosen or dropped at once @type {string[]} */
let recoveries = [];
/** the day's list of ballots, in bundles @type {Map<string, File>} */
let bundles = new Map();

for (const [name, says] of CHECKS) {
  const item = document.createElement("li");
  item.dataset.name = name;
  item.textContent = sentence(says);
  list.append(item);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
form.addEventListener("change", (event) => {
  const target = /** @type {HTMLInputElement} */ (event.target);
  if (target.type === "file") (target.webkitdirectory ? takeFolder : take)([...target.files]);
});
// the whole window takes what is dropped, lest the browser opens it
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files);
});

/** Keep files, each as what it says it is, whichever field it came by. */
async function take(chosen) {
  const statements = new Map();
  for (const file of chosen) {
    // one that is too large is no more read than its first bytes too many
    const bytes = new Uint8Array(await file.slice(0, MAX_OFFERS_BYTES + 1).arrayBuffer());
    const kind = kindOf(bytes);
    if (kind === STATEMENT) statements.set(new TextDecoder().decode(bytes), file.name);
    else files.set(kind, bytes);
    const names = kind === STATEMENT ? [...statements.values()].join(", ") : file.name;
    form.querySelector(`[data-chosen="${kind}"]`).textContent = `Chosen: ${names}`;
  }
  if (statements.size) recoveries = [...statements.keys()];
  if (chosen.length) await check();
}

/** Keep a folder's list of ballots, and the signed list of prizes where that is in there. */
async function takeFolder(chosen) {
  bundles = bundlesOf(chosen);
  form.querySelector("[data-chosen=list]").textContent = bundles.size ? "Chosen: a list of ballots"
    : "This folder has no list of ballots. Choose one that verify.pyz fetch has made.";
  const beside = chosen.filter(({ webkitRelativePath: path }) => /^[^/]+\/offers\.json$/.test(path));
  await (beside.length && !files.has(SIGNED_OFFERS) ? take(beside) : check());
}

/** Tell what is given beside a certificate from one; whatever else it is, the checks will say. */
function kindOf(bytes) {
  if (new TextDecoder().decode(bytes.subarray(0, STATEMENT.length)) === STATEMENT) return STATEMENT;
  if (isLikePolicy(bytes)) return POLICY;
  try {
    const found = readJson(bytes, MAX_OFFERS_BYTES);
    const format = found instanceof Map ? found.get("format") : null;
    return BESIDE.find((each) => each === format) ?? CERTIFICATE;
  } catch {
    return CERTIFICATE;
  }
}

async function check() {
  clearAll(list);
  const [found, text] = await outcome();
  verdict.dataset.verdict = found;
  verdict.textContent = text;
}

async function outcome() {
  if (!files.has(CERTIFICATE)) {
    return ["--", "Choose a draw’s certificate. A receipt is compared with it."];
  }
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("key"));
  const key = field.value.trim() || undefined;
  const policy = files.get(POLICY);
  const needed = policy ? ["witnessed"] : [];
  const [receipt, offers] = BESIDE.map((kind) => files.get(kind));
  try {
    const checks = await verify(files.get(CERTIFICATE), {
      key, receipt, recoveries, offers, policy,
      ballots: bundles.size ? recordsOf(bundles) : undefined,
    });
    markAll(list, checks);
    const draw = conclusion(checks, { isPinned: Boolean(key), needed });
    const own = receipt ? ` ${conclusionOfReceipt(checks)}` : "";
    const found = verdictOf(checks, needed);
    // never good while a receipt that was given is not fully checked
    return [receipt && found === OK ? verdictOfReceipt(checks) : found, draw + own];
  } catch (error) {
    if (error.name === "NoteError") {
      return ["--", "This isn’t a lottery’s key. Paste the whole line: name+number+letters."];
    }
    if (error.name === "PolicyError") {
      return ["--", `This isn’t a witness policy (${error.message}).`];
    }
    if (error.name === "Unreadable") {
      return ["FAIL", `This isn’t a certificate or a receipt: ${error.message}. Download it again.`];
    }
    return ["--", `This browser couldn’t run the checks (${error.message}). Try another one.`];
  }
}
