"""Check the links in a built site: ``python docs/check_links.py docs/_build/html``.

Every relative address in a page must lead to a file of the site, and every fragment to an element
of that page. Links to other sites are left alone: the check needs no network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The addresses that a page names, and the elements that it has."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.anchors = set(), {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key == "id" or (tag == "a" and key == "name"):
                self.anchors.add(value)
            elif key in ("href", "src") and value is not None:
                self.addresses.add(value)


def faults(site):
    """List ``(page, address, what is wrong)`` for a built site, and count its pages."""
    # Files under _static may be templates of a theme; lite is JupyterLite, a program.
    others = {"_static", "lite"}
    paths = [p for p in sorted(site.rglob("*.html")) if not others & set(p.parts)]
    pages = {path.resolve(): Page(path) for path in paths}
    found = []
    for path, page in pages.items():
        for address in sorted(page.addresses):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            where = path.relative_to(site.resolve())
            if not target.is_file():
                found.append((where, address, "there is no such file"))
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append((where, address, "the page has no such element"))
    return found, len(pages)


def main(site):
    """Print the faults of a site; return the exit code of the process."""
    found, count = faults(site)
    for page, address, what in found:
        print(f"{page}: {address}: {what}", file=sys.stderr)
    if not count:
        print(f"{site}: there are no pages", file=sys.stderr)
    print(f"{count} pages, {len(found)} links that lead nowhere")
    return int(bool(found) or not count)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
