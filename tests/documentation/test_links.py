"""The check of the built site finds links that lead nowhere, and only those."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "check_links.py"

if not SCRIPT.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)

GOOD = """<h1 id="here">Here</h1>
<a href="#here">a</a> <a href="#">b</a> <a href="folder/other.html#there">c</a>
<a href="folder/">d</a> <a href="https://example.org/no#where">e</a> <img src="data:image/png,x">
<a href="folder/other.html?x=1#%74here">f</a>"""


def check(site):
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(site)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def site(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "index.html").write_text(GOOD, "utf-8")
    (tmp_path / "folder" / "index.html").write_text('<a href="../index.html">up</a>', "utf-8")
    (tmp_path / "folder" / "other.html").write_text('<p id="there"></p>', "utf-8")
    return tmp_path


def test_good_links(site):
    done = check(site)
    assert done.returncode == 0
    assert done.stdout == "3 pages, 0 links that lead nowhere\n"


@pytest.mark.parametrize(
    "address", ["none.html", "#none", "folder/other.html#here", "folder/none.png", "../out.html"]
)
def test_bad_links(site, address):
    (site / "bad.html").write_text(f'<a href="{address}">x</a>', "utf-8")
    done = check(site)
    assert done.returncode == 1
    assert f"bad.html: {address}: " in done.stderr


def test_a_site_without_pages(tmp_path):
    assert check(tmp_path).returncode == 1
