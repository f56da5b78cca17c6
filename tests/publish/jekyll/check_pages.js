// Opens pages of a served site in the installed Chromium, at two widths, light and dark, and prints as JSON the
// problems of a visitor: errors on the console, requests off the site, lines too wide, and serious findings of axe-core.
// node check_pages.js BASE FOLDER NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const { runWithBrowser, checkLayoutAndAccessibility, visitPages, parsePages } = require("../../support/browser/page_checks.js");

const [base, folder, ...specs] = process.argv.slice(2);

const inspect = async (page, problems) => {
  const results = await page.locator("#results li").count();
  const marks = await page.locator("mark").allTextContents();
  await checkLayoutAndAccessibility(page, problems);
  return { results, marks };
};

runWithBrowser((browser) => visitPages(browser, base, folder, parsePages(specs), inspect));
