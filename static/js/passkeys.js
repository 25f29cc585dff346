// Passkeys: the device is asked when a form with one is sent, and its answer goes with the form.
"use strict";

const isPossible = window.isSecureContext && "credentials" in navigator && Boolean(window.PublicKeyCredential);

/** Bytes of base64url (RFC 4648, section 5). */
function bytesOf(text) {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (sign) => sign.charCodeAt(0));
}

/** Base64url of bytes, without padding; empty for none. */
function textOf(bytes) {
  const binary = Array.from(new Uint8Array(bytes ?? []), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/[=]+$/, "");
}

const named = (list = []) => list.map((each) => ({ ...each, id: bytesOf(each.id) }));

/** Ask the device to make a passkey, or to sign with one. */
async function askDevice(options) {
  const challenge = bytesOf(options.challenge);
  if (options.user) {
    const user = { ...options.user, id: bytesOf(options.user.id) };
    const publicKey = { ...options, challenge, user, excludeCredentials: named(options.excludeCredentials) };
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = { ...options, challenge, allowCredentials: named(options.allowCredentials) };
  return navigator.credentials.get({ publicKey });
}

/** What the device answered, as a form sends it. */
function answerOf(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const given = parts.filter((name) => response[name]).map((name) => [name, textOf(response[name])]);
  const rawId = textOf(credential.rawId);
  return JSON.stringify({ id: rawId, rawId, type: credential.type, response: Object.fromEntries(given) });
}

/** Ask the site, then the device, and return the credential; or the name of what went wrong. */
async function credentialFor(field) {
  const asked = await fetch(field.dataset.passkey).catch(() => null);
  if (!asked) return "failed";
  if (asked.redirected || !asked.ok) {
    location.assign(field.dataset.page);  // to the log-in, or to the password
    return "";
  }
  const options = await asked.json();
  return askDevice(options).catch(({ name }) => (name === "InvalidStateError" ? "known" : "cancelled"));
}

async function sendWithPasskey(form, field) {
  const problem = form.querySelector("[role=alert]");
  problem.hidden = true;
  // what the site refuses anyway must not make a passkey first
  if (form.elements.name?.value.trim() === "") {
    form.submit();
    return;
  }
  const credential = await credentialFor(field);
  if (typeof credential === "string") {
    problem.hidden = !credential;
    problem.textContent = problem.dataset[credential] ?? "";
    return;
  }
  field.value = answerOf(credential);
  form.submit();
}

/** @returns {HTMLElement[]} the elements with an attribute, where there can be passkeys */
const marked = (selector) => (isPossible ? Array.from(document.querySelectorAll(selector)) : []);

for (const each of marked("[data-passkey]")) {
  const field = /** @type {HTMLInputElement} */ (each);
  field.form.hidden = false;
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendWithPasskey(field.form, field);
  });
}
for (const each of marked("[data-without-passkeys]")) each.hidden = true;
