// Drives `finews serve` in the installed Chromium as a reader does: searches, opens an article, follows a stock, looks
// at its chart; then looks at every page at two widths, light and dark. Prints as JSON what was seen and minded.
// node browse.js BASE FOLDER WORD NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const { run, watched, examine, rounds, pagesOf } = require("../published/browser/reader.js");

const [base, folder, word, ...specs] = process.argv.slice(2);
const pages = pagesOf(specs);
// Datasette's own pages are Datasette's.
const isDatasettes = (where) => where.startsWith("/news");
const loaded = { waitUntil: "networkidle" };

const walk = async (browser) => {
  const minded = [];
  const context = await browser.newContext();
  const page = await watched(context, base, minded);
  await page.goto(`${base}/`, loaded);
  const charts = await page.locator("svg.chart .bar rect").count();
  await page.fill("form.search input[name=q]", word);
  await Promise.all([page.waitForURL(/\/search\?/), page.click("form.search button")]);
  const found = await page.locator("#results li").count();
  const marks = await page.locator("#results mark").allTextContents();
  const linked = await page.locator("#results h2 a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  let stock = "";
  for (const href of linked) {
    await page.goto(base + href, loaded);
    const links = page.locator(".post a[href^='/stock/']");
    if (await links.count()) {
      stock = await links.first().textContent();
      await Promise.all([page.waitForURL(/\/stock\//), links.first().click()]);
      break;
    }
  }
  const heading = await page.locator("h1").textContent();
  const bars = await page.locator("svg.chart .bar rect").evaluateAll((all) => all.filter((bar) => bar.getBoundingClientRect().height > 0).length);
  await context.close();
  return { minded, charts, found, marks, stock, heading, bars };
};

const look = async (page, minded, where) => {
  if (!isDatasettes(where)) await examine(page, minded);
};

// Datasette's pages under their own policy, which must let their scripts run.
const openDatasettes = async (browser) => {
  const minded = [];
  const context = await browser.newContext();
  for (const [, where] of pages.filter(([, where]) => isDatasettes(where))) {
    const page = await watched(context, base, minded);
    await page.goto(base + where, loaded);
    await page.close();
  }
  await context.close();
  return minded;
};

run(async (browser) => ({
  walked: await walk(browser),
  seen: await rounds(browser, base, folder, pages, look),
  datasette: await openDatasettes(browser),
}));
