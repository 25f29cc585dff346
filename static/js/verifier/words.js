/** What the page says, in its own language where it has told us the words. */

const words = new Map();

/** Take over translations: what is said in English, and what is to be said for it. */
export function speak(translations) {
  for (const [text, translation] of Object.entries(translations)) words.set(text, translation);
}

/** Mark a text for the catalogues, where it is to be said later (gettext's `N_`). */
export const N_ = (text) => text;

/** Say a text, `%(name)s` standing for a value. */
export function say(text, values = {}) {
  return (words.get(text) ?? text).replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}
