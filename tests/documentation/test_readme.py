"""The examples of the README run, and print what is below them."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"

if not README.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.M
)


def test_there_is_an_example():
    assert EXAMPLES


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example(code, printed):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "README.md", "exec"), {})
    assert out.getvalue() == printed


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)", README.read_text("utf-8")))
def test_links_inside_the_project_lead_somewhere(target):
    if "://" not in target:
        assert (README.parent / target).exists()
