"""The stub of the methods of tensors lists what the table installs."""

from documentation import declarations


def test_declarations_are_up_to_date():
    """If not: run tests/documentation/declarations.py."""
    assert declarations.FILE.read_text(encoding="utf-8") == declarations.text()
