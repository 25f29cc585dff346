/**
 * Days and instants of the proleptic Gregorian calendar, from the year 1 to 9999, in UTC.
 *
 * A day is a BigInt of days since 1970-01-01, an instant one of seconds since it began: what is
 * added to them is read from a file and may be as large as it likes.
 */

const DAY_SECONDS = 86_400n;
const FIRST_INSTANT = -62_135_596_800n; // 0001-01-01T00:00:00Z
const LAST_INSTANT = 253_402_300_799n; // 9999-12-31T23:59:59Z

/** @param {string} text like 2026-11-22 @returns {bigint | undefined} nothing where it is no day */
export function parseDay(text) {
  const instant = parseInstant(`${text}T00:00:00Z`);
  return instant === undefined ? undefined : dayOf(instant);
}

/** @param {string} text like 2026-11-22T14:46:08Z @returns {bigint | undefined} */
export function parseInstant(text) {
  const at = new Date(text);
  // Date takes the 30th of February for the 2nd of March, and 24:00 for the day after
  const isReal = !Number.isNaN(at.getTime()) && at.toISOString().replace(".000Z", "Z") === text;
  return isReal && !text.startsWith("0000") ? BigInt(at.getTime() / 1000) : undefined;
}

export function formatDay(day) {
  return formatInstant(midnightOf(day)).slice(0, 10);
}

export function formatInstant(instant) {
  return new Date(Number(inRange(instant)) * 1000).toISOString().replace(".000Z", "Z");
}

/** The day that an instant lies in. */
export function dayOf(instant) {
  return floorDivide(instant, DAY_SECONDS);
}

/** The instant at which a day begins. */
export function midnightOf(day) {
  return inRange(day * DAY_SECONDS);
}

/**
 * Pass on an instant that the calendar has.
 *
 * @throws {RangeError} it lies outside
 */
export function inRange(instant) {
  if (instant < FIRST_INSTANT || instant > LAST_INSTANT) {
    throw new RangeError("an instant outside the years 1 to 9999");
  }
  return instant;
}

/**
 * Divide and round down; BigInt's own division rounds towards zero.
 *
 * @param {bigint} number
 * @param {bigint} divisor
 */
export function floorDivide(number, divisor) {
  const quotient = number / divisor;
  return number % divisor < 0n ? quotient - 1n : quotient;
}
