// What the browser tests of the published site and of `finews serve` share: the installed Chromium, a page that takes
// down what a reader would mind, and the rounds over all pages at two widths, light and dark.
"use strict";
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

// Prints as JSON what `work` has seen with the browser.
const run = async (work) => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: flags });
  const seen = await work(browser);
  await browser.close();
  console.log(JSON.stringify(seen));
};

// A page whose errors, dialogs and requests to other hosts are minded.
const watched = async (context, base, minded) => {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) minded.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => minded.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { minded.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(`${base}/`)) minded.push(`off the host: ${request.url()}`); });
  return page;
};

// Lines too wide, and serious findings of axe-core.
const examine = async (page, minded) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) minded.push(`${wide} pixels too wide`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  for (const fault of found.violations) {
    if (["serious", "critical"].includes(fault.impact)) minded.push(`axe: ${fault.id}: ${fault.nodes[0].html.slice(0, 200)}`);
  }
};

// Opens each page at two widths, light and dark, keeps a screenshot in `folder`, and adds what `look` tells of it.
const rounds = async (browser, base, folder, pages, look) => {
  const seen = [];
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      // axe-core is put into the page, which the page's own policy forbids.
      const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme, bypassCSP: true });
      for (const [name, where] of pages) {
        const label = `${width}-${colorScheme}`;
        const minded = [];
        const page = await watched(context, base, minded);
        await page.goto(base + where, { waitUntil: "networkidle" });
        await page.screenshot({ path: `${folder}/${name}-${label}.png` });
        seen.push({ name, label, minded, ...await look(page, minded, where) });
        await page.close();
      }
      await context.close();
    }
  }
  return seen;
};

// NAME=PATH as [NAME, PATH].
const pagesOf = (specs) => specs.map((spec) => [spec.slice(0, spec.indexOf("=")), spec.slice(spec.indexOf("=") + 1)]);

module.exports = { run, watched, examine, rounds, pagesOf };
