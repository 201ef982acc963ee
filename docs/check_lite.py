"""Check what a built site runs in the browser: ``python docs/check_lite.py docs/_build/html``.

A browser with access to the network is needed to run a notebook there: Pyodide, NumPy and
matplotlib come from elsewhere. What the site itself brings is checked here: the wheel of refquant
has no compiled module, its digest is that in the index, the kernel is told of that index, and every
notebook that a page links to is listed, there, and installs refquant first.
"""

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"


def read(path):
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def faults_of_wheel(lite):
    """Say what is wrong with the wheel and with its way to the kernel."""
    settings = read(lite / "jupyter-lite.json")["jupyter-config-data"].get("litePluginSettings", {})
    urls = settings.get(KERNEL, {}).get("pipliteUrls", [])
    if not any(urlsplit(url).path == "./pypi/all.json" for url in urls):
        yield "the kernel is not told of the index pypi/all.json"
    index = lite / "pypi" / "all.json"
    releases = read(index).get("refquant", {}).get("releases", {}) if index.is_file() else {}
    files = [file for release in releases.values() for file in release]
    if len(files) != 1:
        yield f"the index pypi/all.json lists {len(files)} wheels of refquant instead of one"
    for file in files:
        wheel = index.parent / file["url"]
        if not wheel.is_file():
            yield f"there is no {wheel.name}"
            continue
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != file["digests"]["sha256"]:
            yield f"{wheel.name} is another file than the one in the index"
        compiled = [n for n in zipfile.ZipFile(wheel).namelist() if n.endswith((".so", ".pyd"))]
        if compiled or not wheel.name.endswith("-py3-none-any.whl"):
            yield f"{wheel.name} is not pure: it has {len(compiled)} compiled modules"


def linked_notebooks(site):
    """List the notebooks that pages link to, each once."""
    found = set()
    for page in site.rglob("*.html"):
        if "lite" not in page.relative_to(site).parts:
            text = page.read_text(encoding="utf-8")
            for address in re.findall(r'href="([^"]*lite/notebooks/index\.html\?[^"]*)"', text):
                found.update(parse_qs(urlsplit(address).query)["path"])
    return sorted(found)


def faults_of_notebook(lite, name):
    """Say what is wrong with a notebook."""
    listing = lite / "api" / "contents" / Path(name).parent / "all.json"
    listed = [one["path"] for one in read(listing)["content"]] if listing.is_file() else []
    if name not in listed:
        yield f"{name} is not listed"
    path = lite / "files" / name
    if not path.is_file():
        yield f"there is no {name}"
        return
    cells = read(path)["cells"]
    if not "".join(cells[0]["source"]).startswith("%pip install"):
        yield f"{name} does not begin by installing refquant"
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and re.search(r":[a-z]+:`|^\.\. \w+::", text, re.M):
            yield f"{name} shows markup of a page: {text[:60]!r}"


def main(site):
    """Print the faults of a site; return the exit code of the process."""
    lite = site / "lite"
    if not lite.is_dir():
        print("No page can be run in the browser: the site was built without JupyterLite")
        return 0
    names = linked_notebooks(site)
    found = [*faults_of_wheel(lite), *(f for name in names for f in faults_of_notebook(lite, name))]
    if not names:
        found.append("no page links to a notebook")
    for fault in found:
        print(f"{lite}: {fault}", file=sys.stderr)
    print(f"{len(names)} notebooks for the browser, {len(found)} faults")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
