/** A downloaded copy of a day's log, as `verify.pyz fetch` leaves it: the records in its bundles. */

import { ENTRIES, TILE_WIDTH, parseEntries, pathOf } from "./tiles.js";

/** bytes of a bundle, at most: 256 records behind their lengths */
const MAX_BUNDLE_BYTES = 256 * (2 + 2 ** 16);
/** where a bundle stands below the folder that was chosen, whatever that is called */
const BUNDLE = /(?:^|\/)(tile\/entries\/.+)$/;

/**
 * Find the bundles of records among a folder's files.
 *
 * @param {Iterable<File>} files as a field with `webkitdirectory` gives them
 * @returns {Map<string, File>} by their addresses below the log's own; empty where there are none
 */
export function bundlesOf(files) {
  const found = new Map();
  for (const file of files) {
    const path = BUNDLE.exec(file.webkitRelativePath)?.[1];
    if (path) found.set(path, file);
  }
  return found;
}

/**
 * Read the records in their order, up to the first bundle that is missing or not full.
 *
 * @param {Map<string, File>} bundles
 * @returns {AsyncGenerator<Uint8Array>}
 * @throws {RangeError} a bundle is malformed
 */
export async function* recordsOf(bundles) {
  for (let number = 0n; ; number += 1n) {
    const [width, file] = widest(bundles, number);
    if (!file) return;
    if (file.size > MAX_BUNDLE_BYTES) throw new RangeError(`bundle ${number} is too large for ${width} records`);
    const records = parseEntries(new Uint8Array(await file.arrayBuffer()));
    if (BigInt(records.length) !== width) {
      throw new RangeError(`bundle ${number} has ${records.length} records, not ${width}`);
    }
    yield* records;
    if (width < TILE_WIDTH) return;
  }
}

/** A full bundle, or the widest of its partial ones. @returns {[bigint, File | undefined]} */
function widest(bundles, number) {
  for (let width = TILE_WIDTH; width > 0n; width -= 1n) {
    const file = bundles.get(pathOf(ENTRIES, number, width));
    if (file) return [width, file];
  }
  return [0n, undefined];
}
