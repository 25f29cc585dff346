/**
 * The layout in which a log is served (C2SP tlog-tiles): proofs and records out of it.
 *
 * A tile is 256 hashes of one level: level 0 are the leaves, and each hash of a level above is the
 * root of a full tile of the level below.
 *
 *     tile/<L>/<N>[.p/<W>]            hashes of level L from N * 256 on, 32 bytes each
 *     tile/entries/<N>[.p/<W>]        the records behind the hashes of level 0
 *
 * A tile at the right edge of the tree that is not full is partial, with its width W. Nothing that
 * is read here is believed: what comes of it is held against signed roots.
 */

import { NotMade } from "./checks.js";
import { HASH_BYTES, consistencyPath, joinNodes, perfectNodes } from "./merkle.js";

/** heights of the tree in one tile, and its hashes */
const TILE_HEIGHT = 8n;
export const TILE_WIDTH = 256n;
export const ENTRIES = "entries";
const LENGTH_BYTES = 2;

/**
 * @typedef {(path: string) => Promise<Uint8Array>} Tiles answers what stands at an address like
 *   `tile/0/000.p/13`, below the log's own
 */

/**
 * Read a log's tiles from a server.
 *
 * @param {string} log its address, with the slash at its end
 * @param {typeof globalThis.fetch} fetch
 * @returns {Tiles}
 */
export function tilesFrom(log, fetch = globalThis.fetch) {
  return async (path) => {
    // bound to nothing: browsers refuse a fetch that is called as somebody's method
    const answer = await fetch(log + path);
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
}

/**
 * Return the proof that the tree of `size2` leaves extends its own first `size1` (RFC 9162,
 * section 2.1.4.1), made of the tiles as they are at `size2`.
 *
 * @param {Tiles} tiles
 * @throws {NotMade} a tile could not be had
 * @throws {RangeError} a tile is shorter than it must be, or `size1` does not fit
 */
export async function proveConsistency(tiles, size1, size2) {
  const ranges = consistencyPath(size1, size2).map(([start, end]) => perfectNodes(start, end));
  const asked = new Map();
  const hashOf = async (node) => {
    const { level, number, offset } = tileOf(node);
    const path = pathOf(level, number);
    if (!asked.has(path)) asked.set(path, readTile(tiles, level, number, size2));
    return subtree(await asked.get(path), offset, 1n << (node.height % TILE_HEIGHT), path);
  };
  return Promise.all(ranges.map(async (nodes) => joinNodes(await Promise.all(nodes.map(hashOf)))));
}

/**
 * Read the records of a log's first `size` leaves, a bundle of 256 after the other.
 *
 * @param {Tiles} tiles
 * @returns {AsyncGenerator<Uint8Array>}
 * @throws {NotMade} a bundle could not be had
 * @throws {RangeError} a bundle ends in the middle of a record
 */
export async function* readRecords(tiles, size) {
  for (let number = 0n; number * TILE_WIDTH < size; number += 1n) {
    const bundle = await readTile(tiles, ENTRIES, number, size);
    const width = widthAt(0n, number, size);
    yield* parseEntries(bundle).slice(0, Number(width));
  }
}

/**
 * Read a bundle of records, each behind its length in two bytes, big-endian.
 *
 * @throws {RangeError} it ends in the middle of one
 */
export function parseEntries(bundle) {
  const records = [];
  for (let at = 0; at < bundle.length;) {
    const start = at + LENGTH_BYTES;
    const end = start + bundle[at] * 256 + bundle[at + 1];
    // the comparison with NaN, where the length itself is cut, does not hold either
    if (!(end <= bundle.length)) {
      throw new RangeError("a bundle of records ends in the middle of one");
    }
    records.push(bundle.subarray(start, end));
    at = end;
  }
  return records;
}

/** The address of a tile: 1234067 is x001/x234/067, and a width of 256 goes without saying. */
export function pathOf(level, number, width = TILE_WIDTH) {
  const digits = String(number);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g);
  const last = groups.pop();
  const name = [...groups.map((group) => `x${group}`), last].join("/");
  return `tile/${level}/${name}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

/** Read a tile as it is in a tree of `size` leaves. */
async function readTile(tiles, level, number, size) {
  const width = widthAt(level === ENTRIES ? 0n : level, number, size);
  try {
    return await tiles(pathOf(level, number, width));
  } catch (error) {
    // once it is full, a server need not keep what it was in part
    const full = width < TILE_WIDTH && (await tiles(pathOf(level, number)).catch(() => null));
    if (full) return full;
    throw new NotMade(`the log could not be read: ${error.message}`);
  }
}

/** How many hashes a tile has in a tree of `size` leaves, 0 to 256. */
function widthAt(level, number, size) {
  const width = (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH;
  return width > TILE_WIDTH ? TILE_WIDTH : width;
}

/** The tile that a node is hashed from, and its first hash in there. */
function tileOf({ height, index }) {
  const first = index << (height % TILE_HEIGHT);
  return { level: height / TILE_HEIGHT, number: first / TILE_WIDTH, offset: first % TILE_WIDTH };
}

/** Hash so many hashes of a tile, a power of two, to the root of their subtree. */
function subtree(tile, offset, width, path) {
  const [first, end] = [Number(offset) * HASH_BYTES, Number(offset + width) * HASH_BYTES];
  if (tile.length < end) throw new RangeError(`${path} does not reach so far`);
  let hashes = [];
  for (let at = first; at < end; at += HASH_BYTES) hashes.push(tile.subarray(at, at + HASH_BYTES));
  while (hashes.length > 1) {
    const below = hashes;
    hashes = [];
    for (let at = 0; at < below.length; at += 2) hashes.push(joinNodes(below.slice(at, at + 2)));
  }
  return hashes[0];
}
