"""Check built pages: ``python docs/check_pages.py FOLDER``.

Every picture, style sheet, script and page that a page refers to must be in the folder, every
anchor on the page that a link names, and nothing may be fetched from elsewhere.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that make a browser fetch something as soon as it shows the page.
_FETCHED = {("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src")}
# Links of these kinds are fetched too; others, such as "next", are only followed.
_FETCHED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}


class _Page(HTMLParser):
    """The ids of a page, what it fetches, and where it links to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids = {"", "top"}
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.pictures_without_words = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.update(filter(None, (given.get("id"), given.get("name"))))
        for name, value in given.items():
            if (tag, name) in _FETCHED:
                self.fetched.append(value)
        if tag == "img" and "alt" not in given:  # an empty one is that of a decoration
            self.pictures_without_words += 1
        if tag == "link" and _FETCHED_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        elif tag in ("a", "link") and "href" in given:
            self.links.append(given["href"])


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the pages below a folder, one line for each problem.

    Parameters
    ----------
    folder : Path
        Folder of the built HTML.

    Raises
    ------
    FileNotFoundError
        If there is no page in it.
    """
    folder = folder.resolve()
    # Themes keep templates among their static files.
    pages = sorted(p for p in folder.rglob("*.html") if p.relative_to(folder).parts[0] != "_static")
    if not pages:
        raise FileNotFoundError(f"{folder} has no HTML pages; build the documentation first")
    found = []
    for path in pages:
        page, name = _page(path), path.relative_to(folder)
        if page.pictures_without_words:
            found.append(f"{name}: {page.pictures_without_words} pictures without an alt text")
        for address in page.fetched:
            if urlsplit(address).netloc:
                found.append(f"{name}: {address} is fetched from elsewhere")
            elif not address.startswith("data:") and not _target(path, folder, address).is_file():
                found.append(f"{name}: {address} is missing")
        found += [
            f"{name}: {problem}"
            for link in dict.fromkeys(page.links)
            if (problem := _problem_of_link(path, folder, link))
        ]
    return found


def _target(path: Path, folder: Path, address: str) -> Path:
    local = unquote(urlsplit(address).path)
    if not local:
        return path
    target = folder / local.lstrip("/") if local.startswith("/") else path.parent / local
    return target / "index.html" if target.is_dir() else target


def _problem_of_link(path: Path, folder: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = _target(path, folder, link)
    if not target.is_file():
        return f"{link} leads nowhere"
    if target.suffix == ".html" and unquote(parts.fragment) not in _page(target).ids:
        return f"{link} names an anchor that is not there"
    return None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/check_pages.py FOLDER")
    lines = problems(Path(sys.argv[1]))
    print("\n".join(lines) if lines else "all links and pictures are there")
    sys.exit(1 if lines else 0)
