/**
 * JSON (RFC 8259) of which nothing can be read in two ways.
 *
 * `JSON.parse` takes a key that is repeated, and reads 1.0 and 1e0 and, rounded, 9007199254740993.
 * Here every key of an object is there once, and every number is an integer of at most 19 signs,
 * read as a BigInt. Objects become a Map, so that a key like `__proto__` is one like any other.
 */

import { fromUtf8, isUnicode } from "./bytes.js";

/** bytes of a file; the certificate of a thousand winners among a billion ballots has half of it */
export const MAX_BYTES = 8 * 1024 * 1024;
/** no certificate nests deeper than 4; what does is meant to exhaust the reader */
const MAX_DEPTH = 200;
/** signs of 10^18, greater than which nothing is counted */
const MAX_DIGITS = 19;

/** A file is no JSON that could be a certificate or a receipt. */
export class Unreadable extends Error {
  name = "Unreadable";
}

/**
 * Read JSON strictly.
 *
 * @param {string | Uint8Array} file as it was downloaded
 * @param {number} [most] bytes that it may have
 * @returns {Map | Array | string | bigint | boolean | null}
 * @throws {Unreadable}
 */
export function readJson(file, most = MAX_BYTES) {
  const text = asText(file, most);
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

function asText(file, most) {
  const tooLarge = new Unreadable(`this is larger than ${most / 2 ** 20} MiB`);
  // no text has fewer bytes of UTF-8 than code units
  if (file.length > most) throw tooLarge;
  if (typeof file === "string") {
    if (!isUnicode(file)) throw new Unreadable("this is not JSON (it is not Unicode)");
    if (new TextEncoder().encode(file).length > most) throw tooLarge;
    return file;
  }
  try {
    return fromUtf8(file);
  } catch {
    throw new Unreadable("this is not JSON (it is not UTF-8)");
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// what stands between two escapes of a text: no quotation mark, no backslash, no control character
// eslint-disable-next-line no-control-regex -- they are what it ends at
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const WORDS = new Map([["true", true], ["false", false], ["null", null]]);
const ESCAPES = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Reader {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  value(depth) {
    if (depth > MAX_DEPTH) throw new Unreadable("this is not JSON (it is nested too deeply)");
    this.#take(SPACE);
    const value = this.#one(depth);
    this.#take(SPACE);
    return value;
  }

  end() {
    if (this.#at !== this.#text.length) this.#refuse();
  }

  #one(depth) {
    const sign = this.#text[this.#at];
    if (sign === "{") return this.#object(depth);
    if (sign === "[") return this.#list(depth);
    if (sign === '"') return this.#string();
    for (const [word, value] of WORDS) if (this.#skip(word)) return value;
    return this.#number();
  }

  #object(depth) {
    const found = new Map();
    this.#skip("{");
    this.#take(SPACE);
    if (this.#skip("}")) return found;
    do {
      this.#take(SPACE);
      const key = this.#string();
      if (found.has(key)) throw new Unreadable("a key of this JSON is repeated");
      this.#take(SPACE);
      if (!this.#skip(":")) this.#refuse();
      found.set(key, this.value(depth + 1));
    } while (this.#skip(","));
    if (!this.#skip("}")) this.#refuse();
    return found;
  }

  #list(depth) {
    const found = [];
    this.#skip("[");
    this.#take(SPACE);
    if (this.#skip("]")) return found;
    do found.push(this.value(depth + 1));
    while (this.#skip(","));
    if (!this.#skip("]")) this.#refuse();
    return found;
  }

  #string() {
    if (!this.#skip('"')) this.#refuse();
    let found = this.#take(PLAIN);
    while (!this.#skip('"')) {
      const escape = this.#take(ESCAPE);
      if (!escape) this.#refuse();
      found += unescaped(escape) + this.#take(PLAIN);
    }
    return found;
  }

  #number() {
    const text = this.#take(NUMBER);
    if (!text) this.#refuse();
    if (/[.eE]/.test(text)) {
      throw new Unreadable(`${text.slice(0, 40)} in this JSON is not an integer`);
    }
    if (text.length > MAX_DIGITS) throw new Unreadable("a number of this JSON is too large");
    // another spelling of 0
    if (text === "-0") throw new Unreadable("a number of this JSON is -0");
    return BigInt(text);
  }

  #take(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #skip(word) {
    const isThere = this.#text.startsWith(word, this.#at);
    if (isThere) this.#at += word.length;
    return isThere;
  }

  #refuse() {
    throw new Unreadable(`this is not JSON (at character ${this.#at + 1})`);
  }
}

function unescaped(escape) {
  if (escape[1] === "u") return String.fromCharCode(parseInt(escape.slice(2), 16));
  return ESCAPES[escape[1]] ?? escape[1];
}
