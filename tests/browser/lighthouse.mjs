// Lighthouse for one page after another: a line of the input asks for one, a line of the output has
// its result. Node.js and the browser start once; each page has a profile of its own, as incognito.
//
//     node lighthouse.mjs NODE_MODULES FLAG_OF_CHROME...
//     {"url": ..., "categories": [...], "headers": {...}, "slowdown": ...}  ->  {"result": {...}} or {"error": "..."}

import { createInterface } from "node:readline";

const [modules, ...chromeFlags] = process.argv.slice(2);
const { default: lighthouse } = await import(`${modules}/lighthouse/core/index.js`);
const { launch } = await import(`${modules}/chrome-launcher/dist/index.js`);
const { default: puppeteer } = await import(
  `${modules}/puppeteer-core/lib/puppeteer/puppeteer-core.js`
);

async function measure(browser, { url, categories, headers, slowdown }) {
  const profile = await browser.createBrowserContext();
  try {
    const throttling = { cpuSlowdownMultiplier: slowdown };
    const options = { onlyCategories: categories, extraHeaders: headers, throttling };
    const flags = { logLevel: "error", ...options };
    const { lhr } = await lighthouse(url, flags, undefined, await profile.newPage());
    return lhr.runtimeError ? { error: lhr.runtimeError.message } : { result: lhr };
  } catch (error) {
    return { error: error.friendlyMessage || error.stack };
  } finally {
    await profile.close();
  }
}

const chrome = await launch({ chromeFlags });
try {
  const browserURL = `http://127.0.0.1:${chrome.port}`;
  const browser = await puppeteer.connect({ browserURL, defaultViewport: null });
  for await (const asked of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await measure(browser, JSON.parse(asked)))}\n`);
  }
  await browser.disconnect();
} finally {
  chrome.kill();
}
