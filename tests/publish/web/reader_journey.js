// Drives `finews serve` in the installed Chromium as a reader does: searches, opens an article, follows a stock, looks
// at its chart; then looks at every page at two widths, light and dark. Prints the observations and every problem as JSON.
// node reader_journey.js BASE FOLDER WORD NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const { runWithBrowser, openWatchedPage, checkLayoutAndAccessibility, visitPages, parsePages } = require("../../support/browser/page_checks.js");

const [base, folder, word, ...specs] = process.argv.slice(2);
const pages = parsePages(specs);
// The layout of Datasette's own pages is not checked.
const isDatasettePage = (path) => path.startsWith("/news");
const loaded = { waitUntil: "networkidle" };

const readerJourney = async (browser) => {
  const problems = [];
  const context = await browser.newContext();
  const page = await openWatchedPage(context, base, problems);
  await page.goto(`${base}/`, loaded);
  const charts = await page.locator("svg.chart rect").count();
  await page.fill("form.search input[name=q]", word);
  await Promise.all([page.waitForURL(/\/search\?/), page.click("form.search button")]);
  const hits = await page.locator("#results li").count();
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
  const bars = await page.locator("svg.chart rect").evaluateAll((all) => all.filter((bar) => bar.getBoundingClientRect().height > 0).length);
  await context.close();
  return { problems, charts, hits, marks, stock, heading, bars };
};

const inspect = async (page, problems, path) => {
  if (!isDatasettePage(path)) await checkLayoutAndAccessibility(page, problems);
};

// Datasette's pages under their own policy, which must let their scripts run.
const openDatasettePages = async (browser) => {
  const problems = [];
  const context = await browser.newContext();
  for (const [, path] of pages.filter(([, path]) => isDatasettePage(path))) {
    const page = await openWatchedPage(context, base, problems);
    await page.goto(base + path, loaded);
    await page.close();
  }
  await context.close();
  return problems;
};

runWithBrowser(async (browser) => ({
  journey: await readerJourney(browser),
  pages: await visitPages(browser, base, folder, pages, inspect),
  datasette: await openDatasettePages(browser),
}));
