// Drives `finews serve` in the installed Chromium as a reader does: searches, opens an article, follows a stock, looks
// at its chart; then looks at every page at two widths, light and dark. Prints as JSON what was seen and minded.
// node browse.js BASE FOLDER WORD NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const there = path.join(__dirname, "../published/browser/node_modules");
const { chromium } = require(path.join(there, "playwright-core"));
const axe = fs.readFileSync(path.join(there, "axe-core/axe.min.js"), "utf8");

const [base, folder, word, ...specs] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const watched = async (context, minded) => {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) minded.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => minded.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { minded.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(`${base}/`)) minded.push(`off the host: ${request.url()}`); });
  return page;
};

const walk = async (browser) => {
  const minded = [];
  const context = await browser.newContext();
  const page = await watched(context, minded);
  const loaded = { waitUntil: "networkidle" };
  await page.goto(`${base}/`, loaded);
  const charts = await page.locator("svg.chart .bar rect").count();
  await page.fill("form.search input[name=q]", word);
  await Promise.all([page.waitForURL(/\/search\?/), page.click("form.search button")]);
  const found = await page.locator("#results li").count();
  const marks = await page.locator("#results mark").allTextContents();
  const linked = await page.locator("#results h2 a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  let stock = "";
  let title = "";
  for (const href of linked) {
    await page.goto(base + href, loaded);
    title = await page.locator("h1").textContent();
    if (await page.locator(".post a[href^='/stock/']").count()) {
      stock = await page.locator(".post a[href^='/stock/']").first().textContent();
      await Promise.all([page.waitForURL(/\/stock\//), page.locator(".post a[href^='/stock/']").first().click()]);
      break;
    }
  }
  const heading = await page.locator("h1").textContent();
  const bars = await page.locator("svg.chart .bar rect").evaluateAll((all) => all.filter((bar) => bar.getBoundingClientRect().height > 0).length);
  await context.close();
  return { minded, charts, found, marks, title, stock, heading, bars };
};

const look = async (context, name, where, label) => {
  const minded = [];
  const page = await watched(context, minded);
  await page.goto(base + where, { waitUntil: "networkidle" });
  await page.screenshot({ path: `${folder}/${name}-${label}.png` });
  // Datasette's own pages are Datasette's.
  if (!where.startsWith("/news")) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) minded.push(`${wide} pixels too wide`);
    await page.evaluate(axe);
    const faults = await page.evaluate(() => window.axe.run());
    for (const fault of faults.violations) {
      if (["serious", "critical"].includes(fault.impact)) minded.push(`axe: ${fault.id}: ${fault.nodes[0].html.slice(0, 200)}`);
    }
  }
  await page.close();
  return { name, label, minded };
};

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: flags });
  const walked = await walk(browser);
  const seen = [];
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme, bypassCSP: true });
      for (const spec of specs) {
        const at = spec.indexOf("=");
        seen.push(await look(context, spec.slice(0, at), spec.slice(at + 1), `${width}-${colorScheme}`));
      }
      await context.close();
    }
  }
  // Datasette's pages once more under their own policy, which must let their scripts run.
  const context = await browser.newContext();
  const minded = [];
  for (const spec of specs.filter((each) => each.includes("=/news"))) {
    const page = await watched(context, minded);
    await page.goto(base + spec.slice(spec.indexOf("=") + 1), { waitUntil: "networkidle" });
    await page.close();
  }
  await browser.close();
  console.log(JSON.stringify({ walked, seen, datasette: minded }));
})();
