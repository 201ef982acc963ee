"""What type checkers are told of the methods of tensors is what the table installs."""

from documentation import declarations


def test_declarations_are_up_to_date():
    """If not: run tests/documentation/declarations.py."""
    assert declarations.FILE.read_text(encoding="utf-8") == declarations.text()
