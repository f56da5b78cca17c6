// Opens pages of a served site in the installed Chromium, at two widths, light and dark, and prints as JSON what a
// visitor would mind: errors on the console, requests off the site, lines too wide, and serious findings of axe-core.
// node look.js BASE FOLDER NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const [base, folder, ...specs] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const look = async (context, name, path, label) => {
  const minded = [];
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) minded.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => minded.push(`error: ${error.message}`));
  page.on("request", (request) => { if (!request.url().startsWith(`${base}/`)) minded.push(`off the site: ${request.url()}`); });
  await page.goto(base + path, { waitUntil: "networkidle" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) minded.push(`${wide} pixels too wide`);
  await page.screenshot({ path: `${folder}/${name}-${label}.png` });
  const results = await page.evaluate(() => document.querySelectorAll("#results li").length);
  const marks = await page.evaluate(() => Array.from(document.querySelectorAll("mark"), (mark) => mark.textContent));
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  for (const fault of found.violations) {
    if (["serious", "critical"].includes(fault.impact)) minded.push(`axe: ${fault.id}: ${fault.nodes[0].html.slice(0, 200)}`);
  }
  await page.close();
  return { name, label, minded, results, marks };
};

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: flags });
  const seen = [];
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      // axe-core is put into the page, which the page's own policy forbids.
      const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme, bypassCSP: true });
      for (const spec of specs) {
        const at = spec.indexOf("=");
        seen.push(await look(context, spec.slice(0, at), spec.slice(at + 1), `${width}-${colorScheme}`));
      }
      await context.close();
    }
  }
  await browser.close();
  console.log(JSON.stringify(seen));
})();
