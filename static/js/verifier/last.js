/**
 * Remember the last answer of a costly function of texts, bytes and integers alone.
 *
 * Whoever checks several receipts of a day asks for the same pairing again and again. An answer is
 * given anew only to the very same question: all that it depends on is compared.
 */

import { toHex } from "./bytes.js";

export function rememberLast(answer) {
  let lastQuestion;
  let lastAnswer;
  return (...given) => {
    const question = given.map((each) => (each instanceof Uint8Array ? toHex(each) : each)).join();
    if (question !== lastQuestion) {
      // first, so that an answer that fails leaves no older one behind
      lastQuestion = undefined;
      lastAnswer = answer(...given);
      lastQuestion = question;
    }
    return lastAnswer;
  };
}
