/**
 * Witness policy (C2SP tlog-policy): whose cosignatures a checkpoint needs to be believed.
 *
 *     log <vkey> [<url>]
 *     witness <name> <vkey> [<url>]
 *     group <name> <number>|any|all <member> ...
 *     quorum <name>|none
 */

import { equal, fromUtf8, toHex, utf8 } from "./bytes.js";
import { parseWitnessKey } from "./cosignature.js";
import { NoteError, parseVkey } from "./note.js";

/** bytes of a file */
export const MAX_POLICY_BYTES = 512 * 1024;
/** of logs, of witnesses, of groups */
const MAX_EACH = 64;
const NONE = "none";

// the octets of a file are letters of Latin-1 here, so that none has a meaning but those of ASCII
// eslint-disable-next-line no-control-regex
const CONTROL_OCTET = /[\x00-\x08\x0b-\x1f\x7f]/;

/** A file is no policy; the message names the line and says why. */
export class PolicyError extends Error {
  name = "PolicyError";
}

/** Which logs are believed, and whose cosignatures they need. */
export class Policy {
  logs = [];
  witnesses = [];
  #groups = [];
  /** the name of a witness or group, or `none` */
  #quorum = null;
  /** of witnesses and groups */
  #names = new Set();
  #members = new Set();

  /**
   * Read a policy.
   *
   * @param {string | Uint8Array} given
   * @throws {PolicyError}
   */
  constructor(given) {
    const data = typeof given === "string" ? utf8(given) : given;
    if (data.length > MAX_POLICY_BYTES) {
      throw new PolicyError(`this is larger than ${MAX_POLICY_BYTES / 1024} KiB`);
    }
    const octets = Array.from(data, (octet) => String.fromCharCode(octet)).join("");
    octets.split("\n").forEach((line, at) => {
      try {
        this.#read(line);
      } catch (error) {
        if (!(error instanceof PolicyError || error instanceof NoteError)) throw error;
        throw new PolicyError(`line ${at + 1}: ${error.message}`);
      }
    });
    if (this.#quorum === null) {
      throw new PolicyError("there is no line quorum, like: quorum none");
    }
  }

  /**
   * Tell whether cosignatures by these public keys are enough; others do not matter.
   *
   * @param {Set<string>} publicKeys in hex
   */
  isMetBy(publicKeys) {
    const signed = new Set(
      this.witnesses.filter(({ key }) => publicKeys.has(toHex(key.publicKey))).map(({ name }) => name),
    );
    for (const { name, needed, members } of this.#groups) {
      if (members.filter((member) => signed.has(member)).length >= needed) signed.add(name);
    }
    return this.#quorum === NONE || signed.has(this.#quorum);
  }

  /**
   * Tell whether any two sets of witnesses that are enough share one.
   *
   * Where they need not, honest witnesses may have signed two journals, and each has enough.
   */
  get isMajority() {
    // a name is a member once, so that groups are trees and share no witness
    const splits = new Set([NONE]);
    for (const { name, needed, members } of this.#groups) {
      // a member that can be met twice helps both sets
      const twice = members.filter((member) => splits.has(member)).length;
      if (2 * needed <= members.length + twice) splits.add(name);
    }
    return !splits.has(this.#quorum);
  }

  #read(line) {
    if (CONTROL_OCTET.test(line)) {
      throw new PolicyError("there is a control character; lines end with a line feed alone");
    }
    const [keyword, ...words] = line.split(/[ \t]+/).filter((word) => word);
    if (keyword === undefined || keyword.startsWith("#")) return;
    switch (keyword) {
      case "log": this.#log(words); break;
      case "witness": this.#witness(words); break;
      case "group": this.#group(words); break;
      case "quorum": this.#setQuorum(words); break;
      default: throw new PolicyError("a line begins with log, witness, group, quorum or #");
    }
  }

  #log(words) {
    if (words.length < 1 || words.length > 2) {
      throw new PolicyError("a log has a key, and a URL if you like: log KEY [URL]");
    }
    const key = parseVkey(textOf(words[0]));
    if (this.logs.some(({ publicKey }) => equal(publicKey, key.publicKey))) {
      throw new PolicyError("another log has this key");
    }
    words.slice(1).forEach(textOf);
    this.logs.push(key);
    limit(this.logs, "logs");
  }

  #witness(words) {
    if (words.length < 2 || words.length > 3) {
      throw new PolicyError(
        "a witness has a name, a key, and a URL if you like: witness NAME KEY [URL]",
      );
    }
    const key = parseWitnessKey(textOf(words[1]));
    if (this.witnesses.some((each) => equal(each.key.publicKey, key.publicKey))) {
      throw new PolicyError("another witness has this key");
    }
    const name = this.#define(words[0]);
    words.slice(2).forEach(textOf);
    this.witnesses.push({ name, key });
    limit(this.witnesses, "witnesses");
  }

  #group(words) {
    if (words.length < 3) {
      throw new PolicyError(
        "a group has a name, how many are needed, and members: group NAME 2|any|all NAME …",
      );
    }
    const [name, needed, ...members] = words;
    for (const member of members) {
      if (!this.#names.has(member)) {
        throw new PolicyError(`no line above defines the member ${shown(member)}`);
      }
      if (this.#members.has(member)) throw new PolicyError(`${shown(member)} is a member already`);
      this.#members.add(member);
    }
    this.#groups.push({
      name: this.#define(name), needed: neededOf(needed, members.length), members,
    });
    limit(this.#groups, "groups");
  }

  #setQuorum(words) {
    if (words.length !== 1) throw new PolicyError("the quorum is one name: quorum NAME|none");
    if (this.#quorum !== null) throw new PolicyError("there is a quorum already");
    if (words[0] !== NONE && !this.#names.has(words[0])) {
      throw new PolicyError(`no line above defines ${shown(words[0])}`);
    }
    [this.#quorum] = words;
  }

  #define(name) {
    if (name === NONE) throw new PolicyError("the name none is taken: it stands for no quorum");
    if (this.#names.has(name)) {
      throw new PolicyError(`there is a witness or group ${shown(name)} already`);
    }
    this.#names.add(name);
    return name;
  }
}

/** Tell whether a file has the line that every policy has. */
export function isLikePolicy(bytes) {
  return /^[ \t]*quorum[ \t]/m.test(new TextDecoder().decode(bytes.subarray(0, MAX_POLICY_BYTES)));
}

function neededOf(text, count) {
  if (text === "any") return 1;
  if (text === "all") return count;
  if (!/^[1-9][0-9]{0,8}$/.test(text) || Number(text) > count) {
    throw new PolicyError(`a group of ${count} needs any, all, or a number from 1 to ${count}`);
  }
  return Number(text);
}

function limit(defined, what) {
  if (defined.length > MAX_EACH) throw new PolicyError(`there are more than ${MAX_EACH} ${what}`);
}

function octetsOf(latin) {
  return Uint8Array.from(latin, (letter) => letter.charCodeAt(0));
}

function textOf(latin) {
  try {
    return fromUtf8(octetsOf(latin));
  } catch {
    throw new PolicyError("keys and addresses are in UTF-8");
  }
}

function shown(latin) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(octetsOf(latin));
}
