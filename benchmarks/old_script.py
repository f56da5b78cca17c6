"""The other baseline: the site's first script, which fetches five listings in five threads.

    python benchmarks/old_script.py URL FOLDER ROUNDS

Each round fetches every article of every listing again and writes its file again. The script's pause of 30 seconds
between two rounds is left out.
"""

import sys
from pathlib import Path
from threading import Thread

import requests
from pypinyin import lazy_pinyin

LISTING_FIELDS = {
    "/web/webapi?type=102&count=100&newsid=1": ("records", "infoCode", "", "showtime"),
    "/web/webapi?type=45&count=100&newsid=1": ("nodeList", "infocode", "from", "showtime"),
    "/information/newmarket/web/webapi?marketType=37&count=100": ("record", "infoCode", "medianame", "datetime"),
    "/information/newmarket/web/webapi?marketType=38&count=100": ("record", "infoCode", "medianame", "datetime"),
    "/information/newmarket/web/webapi?marketType=39&count=100": ("record", "infoCode", "medianame", "datetime"),
}


def download_list(url: str, folder: Path, path: str) -> None:
    rows, code_name, media_name, time_name = LISTING_FIELDS[path]
    for row in requests.get(url + path, timeout=20).json()[rows]:
        code, title, time = row[code_name], row["title"], row[time_name]
        if not title:
            continue
        media = row[media_name] if media_name else "emnews"
        response = requests.get(f"{url}/NewsData/GetNewsText.do?id={code}", timeout=20).json()
        text = (response["text"] or response["content"] or "").replace("　　", "")
        slug = "".join(lazy_pinyin(media))
        post = (
            f'---\nlayout: post\ntitle: "{title}"\ndate: {time} +0800\ncategories: {slug}\ntags: {media}新闻\n---\n{text}\n\n'
            f"<{url}/html_News/NewsShare.html?infoCode={code}>\n\n[返回{media}新闻](//finews/category/{slug}.html)"
        )
        (folder / f"{time[:10]}-{code}.md").write_text(post)


def main() -> None:
    url, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(rounds):
        threads = [Thread(target=download_list, args=(url, folder, path)) for path in LISTING_FIELDS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


main()
