"""What `from_torch` and `to_torch` do where PyTorch is not installed, or not imported."""

from processes import output

WITHOUT = """
import os
import sys
import refquant
print(refquant.from_torch({"epoch": [3, None]}))
print("torch" in sys.modules)
sys.modules["torch"] = None
try:
    refquant.to_torch(refquant.ones(2))
except refquant.errors.MissingExtraError as error:
    print(error)
"""


def test_reading_imports_nothing_and_making_says_what_is_missing():
    read, imported, error = output(WITHOUT)
    assert (read, imported) == ("{'epoch': [3, None]}", "False")
    assert error == "torch is not installed; pip install 'refquant[torch]'"
