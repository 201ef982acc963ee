"""Optional packages: a clear error names the package and the extra that brings it."""

import sys

import pytest

import refquant
from refquant import cli, plotting
from refquant.errors import MissingExtraError
from refquant.extras import require_extra


@pytest.fixture
def missing(monkeypatch):
    """Make packages impossible to import, as if they were not installed."""

    def forget(*packages):
        for name in list(sys.modules):
            if name.partition(".")[0] in packages:
                monkeypatch.delitem(sys.modules, name)
        finder = type("Absent", (), {"find_spec": staticmethod(absent(packages))})
        monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])

    return forget


def absent(packages):
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    return find_spec


def test_need_imports_a_module():
    assert require_extra("json.decoder", package="json", extra="demo", op="a test").__name__ == (
        "json.decoder"
    )


def test_a_missing_package_is_an_import_error_that_names_the_extra():
    with pytest.raises(ImportError, match=r"pip install 'refquant\[plot\]'") as caught:
        require_extra("no_such_thing.inner", package="no-such-thing", extra="plot", op="a test")
    assert isinstance(caught.value, MissingExtraError)
    assert "no-such-thing" in str(caught.value)


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import no_such_thing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_thing") as caught:
        require_extra("broken_package", package="broken", extra="plot", op="a test")
    assert not isinstance(caught.value, MissingExtraError)


def test_plotting_without_matplotlib(missing):
    missing("matplotlib")
    with pytest.raises(MissingExtraError, match=r"matplotlib.*refquant\[plot\]"):
        plotting.error_sawtooth(0.1, 10, refquant.quint8)


@pytest.mark.parametrize("package", ["matplotlib", "sklearn"])
def test_the_demo_stops_before_it_makes_anything(missing, package, tmp_path, capsys):
    missing(package)
    assert cli.main(["demo", "--output", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("refquant demo: error: ")
    assert "pip install 'refquant[demo]'" in message
    assert not (tmp_path / "out").exists()
