/**
 * Certificates and receipts, as JSON (daily-draw/v1, section 11: certificate, receipt).
 *
 * JSON carries texts; what is hashed are the texts, so its spacing and the order of its keys do
 * not matter. Everything else does: a key that is missing or unknown, a number that is not an
 * integer, and hex that is written in another way are refused.
 */

import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./beacon.js";
import { fromHex, isUnicode } from "./bytes.js";
import { SALT_BYTES } from "./chain.js";
import { readJson } from "./json.js";
import { HASH_BYTES } from "./merkle.js";

export const CERTIFICATE = "daily-draw/v1 certificate";
export const RECEIPT = "daily-draw/v1 receipt";
/** nothing that a certificate or receipt counts is greater */
const MAX_INTEGER = 10n ** 18n;
/** a proof is no longer than the height of a tree */
const MAX_PROOF = 64;

/** JSON does not have the form of a certificate or a receipt; the message says where. */
export class FormatError extends Error {
  name = "FormatError";
}

/**
 * Read a certificate.
 *
 * @param {string | Uint8Array} file
 * @throws {Unreadable} this is no JSON of a sensible size
 * @throws {FormatError} it is, but has not the form of a certificate
 */
export function parseCertificate(file) {
  return read(readJson(file), "the certificate", (found) => {
    found.constant("format", CERTIFICATE);
    return {
      genesis: found.text("genesis"),
      freeze: found.text("freeze"),
      journal: read(found.take("journal"), "journal", journal),
      beacon: found.orNull("beacon", beacon),
      winners: found.list("winners").map((value, at) => read(value, `winners[${at}]`, winner)),
      logKey: found.text("log_key"),
    };
  });
}

/**
 * Read a receipt.
 *
 * @throws {Unreadable} this is no JSON of a sensible size
 * @throws {FormatError} it is, but has not the form of a receipt
 */
export function parseReceipt(file) {
  return read(readJson(file), "the receipt", (found) => {
    found.constant("format", RECEIPT);
    return {
      ballot: found.text("ballot"),
      holder: read(found.take("holder"), "holder", holder),
      index: found.integer("index"),
      proof: found.hashes("proof"),
      checkpoint: found.text("checkpoint"),
    };
  });
}

function journal(found) {
  return {
    checkpoint: found.text("checkpoint"),
    genesisProof: found.hashes("genesis_proof"),
    index: found.integer("index"),
    proof: found.hashes("proof"),
  };
}

function beacon(found) {
  return {
    round: found.integer("round"),
    signature: found.bytes("signature", SIGNATURE_BYTES),
    chainInfo: read(found.take("chain_info"), "chain_info", chainInfo),
  };
}

function chainInfo(found) {
  return {
    publicKey: found.bytes("public_key", PUBLIC_KEY_BYTES),
    period: found.integer("period"),
    genesisTime: found.integer("genesis_time"),
    groupHash: found.bytes("group_hash", HASH_BYTES),
    scheme: found.text("scheme_id"),
    beaconId: found.text("beacon_id"),
  };
}

function winner(found) {
  return {
    place: found.integer("place"),
    number: found.integer("number"),
    counter: found.integer("counter"),
    ballot: found.text("ballot"),
    proof: found.hashes("proof"),
    holder: read(found.take("holder"), "holder", holder),
  };
}

function holder(found) {
  return { username: found.text("username"), salt: found.bytes("salt", SALT_BYTES) };
}

/**
 * Read an object of which nothing is left over.
 *
 * @param {unknown} value of loaded JSON
 * @param {string} what it is, for whoever is told that it is none
 * @param {(found: Fields) => T} readAll
 * @returns {T}
 * @template T
 * @throws {FormatError}
 */
export function read(value, what, readAll) {
  const found = new Fields(value, what);
  const result = readAll(found);
  found.end();
  return result;
}

/** An object of loaded JSON, of which each key is asked for once. */
class Fields {
  #rest;
  #what;

  constructor(value, what) {
    if (!(value instanceof Map)) throw new FormatError(`${what} is not an object`);
    this.#rest = new Map(value);
    this.#what = what;
  }

  take(key) {
    if (!this.#rest.has(key)) throw new FormatError(`${this.#what} lacks '${key}'`);
    const value = this.#rest.get(key);
    this.#rest.delete(key);
    return value;
  }

  end() {
    for (const key of this.#rest.keys()) {
      // whatever somebody has written there, it is shown in visible characters
      const visible = JSON.stringify(key.slice(0, 40)).slice(1, -1);
      throw new FormatError(`${this.#what} has an unknown key '${visible}'`);
    }
  }

  text(key) {
    return this.#asText(key, this.take(key));
  }

  constant(key, expected) {
    if (this.text(key) !== expected) this.#refuse(key, `'${expected}'`);
  }

  integer(key) {
    const value = this.take(key);
    if (typeof value !== "bigint" || value < 0n || value > MAX_INTEGER) {
      this.#refuse(key, "an integer from 0 on");
    }
    return value;
  }

  bytes(key, length) {
    return this.#asBytes(key, this.take(key), length);
  }

  hashes(key) {
    const values = this.list(key);
    if (values.length > MAX_PROOF) this.#refuse(key, `at most ${MAX_PROOF} hashes`);
    return values.map((value) => this.#asBytes(key, value, HASH_BYTES));
  }

  orNull(key, readAll) {
    const value = this.take(key);
    return value === null ? null : read(value, key, readAll);
  }

  list(key) {
    const value = this.take(key);
    if (!Array.isArray(value)) this.#refuse(key, "a list");
    return value;
  }

  #asText(key, value) {
    if (typeof value !== "string") this.#refuse(key, "a text");
    if (!isUnicode(value)) this.#refuse(key, "a text of Unicode");
    return value;
  }

  #asBytes(key, value, length) {
    const hex = this.#asText(key, value);
    if (hex.length !== 2 * length || !/^[0-9a-f]*$/.test(hex)) {
      this.#refuse(key, `${length} bytes in lower-case hex`);
    }
    return fromHex(hex);
  }

  #refuse(key, expected) {
    throw new FormatError(`'${key}' of ${this.#what} is not ${expected}`);
  }
}
