"""Checks the links of the built site without a network: check_links.py DIRECTORY.

A link within the site must lead to a file and to an id in it. A link to another site must be a
well-formed https URL; http is for loopback hosts in examples only.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SITE = Path(sys.argv[1]).resolve()
HOST = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+\Z")


class Page(HTMLParser):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def main() -> None:
    pages = {file: Page(file) for file in sorted(SITE.rglob("*.html"))}
    wrong = []
    inside = outside = 0
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("data", "mailto"):
                continue
            if parts.scheme or parts.netloc:
                outside += 1
                if parts.scheme != "https" or not HOST.match(parts.hostname or ""):
                    wrong.append(f"{file.relative_to(SITE)}: {link} is no https URL")
                continue
            inside += 1
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                wrong.append(f"{file.relative_to(SITE)}: {link} leads nowhere")
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].ids
            ):
                wrong.append(f"{file.relative_to(SITE)}: {link} names no id of that page")
    if wrong:
        sys.exit("\n".join(sorted(set(wrong))))
    print(f"{len(pages)} pages, {inside} links within the site, {outside} links to elsewhere")


main()
