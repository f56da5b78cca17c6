// What the browser tests of the published site and of `finews serve` share: the installed Chromium, a page that takes
// down what a reader would mind, and the rounds over all pages at two widths, light and dark.
"use strict";
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

// Prints as JSON what `work` has seen with the browser.
const runWithBrowser = async (work) => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: flags });
  const reports = await work(browser);
  await browser.close();
  console.log(JSON.stringify(reports));
};

// A page whose errors, dialogs and requests to other hosts are problems.
const openWatchedPage = async (context, base, problems) => {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(`${base}/`)) problems.push(`off the host: ${request.url()}`); });
  return page;
};

// Lines too wide, and serious findings of axe-core.
const checkLayoutAndAccessibility = async (page, problems) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${wide} pixels too wide`);
  await page.evaluate(axe);
  const axeResults = await page.evaluate(() => window.axe.run());
  for (const fault of axeResults.violations) {
    if (["serious", "critical"].includes(fault.impact)) problems.push(`axe: ${fault.id}: ${fault.nodes[0].html.slice(0, 200)}`);
  }
};

// Opens each page at two widths, light and dark, keeps a screenshot in `folder`, and adds what `inspect` says of it.
const visitPages = async (browser, base, folder, pages, inspect) => {
  const reports = [];
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      // axe-core is put into the page, which the page's own policy forbids.
      const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme, bypassCSP: true });
      for (const [name, path] of pages) {
        const label = `${width}-${colorScheme}`;
        const problems = [];
        const page = await openWatchedPage(context, base, problems);
        await page.goto(base + path, { waitUntil: "networkidle" });
        await page.screenshot({ path: `${folder}/${name}-${label}.png` });
        reports.push({ name, label, problems, ...await inspect(page, problems, path) });
        await page.close();
      }
      await context.close();
    }
  }
  return reports;
};

// NAME=PATH as [NAME, PATH].
const parsePages = (specs) => specs.map((spec) => [spec.slice(0, spec.indexOf("=")), spec.slice(spec.indexOf("=") + 1)]);

module.exports = { runWithBrowser, openWatchedPage, checkLayoutAndAccessibility, visitPages, parsePages };
