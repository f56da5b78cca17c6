// Opens pages of a served site in the installed Chromium, at two widths, light and dark, and prints as JSON what a
// visitor would mind: errors on the console, requests off the site, lines too wide, and serious findings of axe-core.
// node look.js BASE FOLDER NAME=PATH...   FOLDER takes the screenshots.
"use strict";
const { run, examine, rounds, pagesOf } = require("./reader.js");

const [base, folder, ...specs] = process.argv.slice(2);

const look = async (page, minded) => {
  const results = await page.locator("#results li").count();
  const marks = await page.locator("mark").allTextContents();
  await examine(page, minded);
  return { results, marks };
};

run((browser) => rounds(browser, base, folder, pagesOf(specs), look));
