// Searches the titles, month by month from the newest, in the lists that finews writes under search/.
"use strict";
(() => {
  const ENOUGH = 50;
  const form = document.querySelector("form.search");
  const found = document.getElementById("found");
  const results = document.getElementById("results");
  const older = document.getElementById("older");
  const base = form.dataset.base;
  let months = [];
  let words = [];
  let count = 0;
  let turn = 0;

  // Width and case do not count. Letter by letter, so that a place in the folded text is one in the title.
  const fold = (text) => Array.from(text, (letter) => letter.normalize("NFKC").toLowerCase().slice(0, letter.length).padEnd(letter.length)).join("");
  const read = async (name) => {
    const response = await fetch(`${base}/search/${name}.json`);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return response.json();
  };

  const marked = (title) => {
    const folded = fold(title);
    const hit = new Array(title.length).fill(false);
    for (const word of words) {
      for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) hit.fill(true, at, at + word.length);
    }
    const parts = document.createDocumentFragment();
    for (let start = 0, end = 0; start < title.length; start = end) {
      while (end < title.length && hit[end] === hit[start]) end += 1;
      const part = document.createElement(hit[start] ? "mark" : "span");
      part.textContent = title.slice(start, end);
      parts.append(part);
    }
    return parts;
  };

  const show = ([title, url, media, at]) => {
    const row = document.createElement("li");
    const time = document.createElement("time");
    const story = document.createElement("span");
    const link = document.createElement("a");
    const paper = document.createElement("span");
    time.dateTime = at;
    time.textContent = at.slice(0, 10);
    link.href = base + url;
    link.append(marked(title));
    story.className = "story";
    paper.className = "media";
    paper.textContent = media;
    story.append(link, " ", paper);
    row.append(time, story);
    results.append(row);
  };

  const go = async (mine) => {
    const until = count + ENOUGH;
    older.hidden = true;
    while (months.length && count < until) {
      const articles = await read(months[0]);
      if (mine !== turn) return;
      months.shift();
      for (const article of articles) {
        const title = fold(article[0]);
        if (words.every((word) => title.includes(word))) {
          show(article);
          count += 1;
        }
      }
      found.textContent = `找到 ${count} 篇`;
    }
    older.hidden = months.length === 0;
    found.textContent = count ? `找到 ${count} 篇${months.length ? "，还有更早的月份" : ""}` : "没有找到";
  };

  const run = async () => {
    turn += 1;
    const mine = turn;
    const query = form.q.value.trim();
    words = fold(query).split(/\s+/).filter(Boolean);
    count = 0;
    results.replaceChildren();
    older.hidden = true;
    if (!words.length) return;
    found.textContent = "正在搜索…";
    try {
      const index = await read("index");
      if (mine !== turn) return;
      months = index;
      await go(mine);
    } catch {
      found.textContent = "索引没有读到，请稍后再试。";
    }
  };

  older.addEventListener("click", () => go(turn).catch(() => { found.textContent = "索引没有读到，请稍后再试。"; }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState(null, "", `?q=${encodeURIComponent(form.q.value.trim())}`);
    run();
  });
  form.q.value = new URLSearchParams(location.search).get("q") || "";
  run();
})();
