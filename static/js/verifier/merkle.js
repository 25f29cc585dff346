/**
 * Merkle trees of append-only logs (RFC 9162, section 2.1; the same as RFC 6962).
 *
 * Sizes and indices are BigInts, since those of a log may exceed 2^53.
 */

import { equal, hash } from "./bytes.js";

export const HASH_BYTES = 32;
/** the root of a tree without leaves: H("") */
export const EMPTY_ROOT = hash(new Uint8Array());

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** H(0x00 || record). */
export function leafHash(record) {
  return hash(LEAF, record);
}

/** H(0x01 || left || right). */
export function nodeHash(left, right) {
  return hash(NODE, left, right);
}

/**
 * Tell whether a proof holds that `leaf` is the hash of leaf `index` (section 2.1.3.2).
 *
 * @param {bigint} index
 * @param {bigint} size
 * @param {Uint8Array} leaf
 * @param {Uint8Array[]} proof
 * @param {Uint8Array} root
 */
export function checkInclusion(index, size, leaf, proof, root) {
  if (index < 0n || index >= size || leaf.length !== HASH_BYTES) return false;
  let [fn, sn, r] = [index, size - 1n, leaf];
  for (const p of proof) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      r = nodeHash(p, r);
      while (!(fn & 1n) && fn) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      r = nodeHash(r, p);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equal(r, root);
}

/**
 * Tell whether a proof holds that the tree of `root2` extends that of `root1` (section 2.1.4.2).
 *
 * Nothing follows from an empty tree: `size1` must be positive.
 */
export function checkConsistency(size1, size2, root1, root2, proof) {
  if (size1 < 1n || size1 > size2) return false;
  if (size1 === size2) return !proof.length && equal(root1, root2);
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  if (!path.length) return false;
  let [fn, sn] = [size1 - 1n, size2 - 1n];
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [fr, sr] = [path[0], path[0]];
  for (const c of path.slice(1)) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (!(fn & 1n) && fn) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return sn === 0n && equal(fr, root1) && equal(sr, root2);
}

/**
 * A tree while it grows: of its leaves it keeps the roots of its greatest perfect subtrees only,
 * the greatest first, as many as its size has ones in binary.
 */
export class Tree {
  size = 0n;
  #roots = [];

  /** Append a leaf, given as its hash. */
  append(leaf) {
    let node = leaf;
    for (let rest = this.size; rest & 1n; rest >>= 1n) node = nodeHash(this.#roots.pop(), node);
    this.#roots.push(node);
    this.size += 1n;
  }

  get root() {
    return this.#roots.length ? joinNodes(this.#roots) : EMPTY_ROOT;
  }
}

/** The hash of a range of leaves, given those of its `perfectNodes`. */
export function joinNodes(hashes) {
  return hashes.reduceRight((joined, left) => nodeHash(left, joined));
}

/**
 * The ranges of leaves whose hashes prove that a tree of `size2` extends its own first `size1`
 * (PROOF and SUBPROOF of section 2.1.4.1), in the order of the proof.
 *
 * @returns {[bigint, bigint][]} of each its first leaf and the one after its last
 * @throws {RangeError} `size1` is not positive or greater than `size2`
 */
export function consistencyPath(size1, size2) {
  if (size1 < 1n || size1 > size2) {
    throw new RangeError(`there is no proof that ${size2} leaves extend ${size1}`);
  }
  const path = [];
  let [start, end, isWhole] = [0n, size2, true];
  while (size1 !== end) {
    const middle = start + split(end - start);
    if (size1 <= middle) {
      path.push([middle, end]);
      end = middle;
    } else {
      path.push([start, middle]);
      [start, isWhole] = [middle, false];
    }
  }
  if (!isWhole) path.push([start, end]);
  return path.reverse();
}

/**
 * Split a range of leaves that is hashed as one into the fewest perfect subtrees, in order.
 *
 * @returns {{height: bigint, index: bigint}[]} subtrees of the leaves from `index << height` on,
 *   `1 << height` of them
 */
export function perfectNodes(start, end) {
  const nodes = [];
  while (start < end) {
    const height = bitLength(end - start) - 1n;
    nodes.push({ height, index: start >> height });
    start += 1n << height;
  }
  return nodes;
}

/** The greatest power of two below a size. */
function split(size) {
  return 1n << (bitLength(size - 1n) - 1n);
}

function bitLength(number) {
  return BigInt(number.toString(2).length);
}

function isPowerOfTwo(size) {
  return (size & (size - 1n)) === 0n;
}
