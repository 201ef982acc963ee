"""The stubs of the package say what it has."""

from documentation import declarations


def test_stubs_are_up_to_date():
    """If not: run tests/documentation/declarations.py."""
    made = declarations.files()
    assert set(declarations.ROOT.rglob("*.pyi")) == set(made)
    stale = [
        path.relative_to(declarations.ROOT).as_posix()
        for path, text in made.items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == []
