"""Every path that CONTRIBUTING.md, the README of the tests and docs/contribute name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "docs" / "contribute").glob("*.rst")),
]
if not PAGES[0].exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)

# Where a path may start: the table of layers leaves out `refquant/`, that of the tests `tests/`.
STARTS = {
    "CONTRIBUTING.md": ("", "refquant"),
    "README.md": ("tests",),
    "index.rst": ("", "docs"),
}  # those of the other pages start at the top
# What has a slash, or is a file with a suffix.
PATH = re.compile(
    r"(?<![\w./-])(?:\.?(?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|pyx|pxd|md|rst|toml)(?!\w))"
)
# Made by the commands of a page.
MADE = {"docs/_build/html"}


def paths(page: Path) -> list[str]:
    """Find the paths in what a page marks as code."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```|\.\. code-block:: sh\n\n((?:   .*\n)+)", text, re.S)
    quoted = re.findall(r"`+([^`\n]+)`+", re.sub(r"```.*?```", "", text, flags=re.S))
    code = [*("".join(block) for block in blocks), *quoted]
    return sorted({path for piece in code for path in PATH.findall(piece)} - MADE)


def exists(path: str, starts: tuple[str, ...]) -> bool:
    # One file for each family, or one for each tutorial.
    pattern = re.sub("FAMILY|MODULE|NAME|FILE|NN_name", "*", path).rstrip("/")
    return any(next((ROOT / start).glob(pattern), None) for start in starts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page):
    found = paths(page)
    assert found
    assert [path for path in found if not exists(path, STARTS.get(page.name, ("",)))] == []


def test_the_readme_lists_every_folder_of_tests():
    folders = {f"{f.name}/" for f in (ROOT / "tests").iterdir() if f.is_dir()} - {"__pycache__/"}
    listed = re.findall(r"^\| `(\w+/)` \|", PAGES[1].read_text(encoding="utf-8"), re.M)
    assert sorted(folders) == sorted(listed)


def test_the_table_of_layers_is_the_one_that_is_checked():
    from architecture.test_layers import LAYERS, layer

    table = re.findall(r"^\| (\d+) \| (.*?) \|", PAGES[0].read_text(encoding="utf-8"), re.M)
    assert [int(number) for number, _ in table] == list(LAYERS)
    for number, places in table:
        for place in re.findall(r"`([\w/.]+)`", places):
            name = place.rstrip("/").removesuffix(".py").replace("/", ".")
            assert layer(name) == int(number), place
