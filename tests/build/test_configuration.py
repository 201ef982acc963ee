"""`show_config` reports what runs here."""

import json

import pytest

import refquant
from refquant import kernels


def test_it_prints_what_it_returns(capsys):
    assert refquant.show_config() is None
    text = capsys.readouterr().out
    facts = refquant.show_config(as_dict=True)
    assert f"refquant: {refquant.__version__}" in text
    assert f"  chosen: {kernels.current()}" in text
    for fact in facts:
        assert f"{fact}:" in text


def test_the_dict_is_plain_data():
    facts = refquant.show_config(as_dict=True)
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("choice", kernels.available())
def test_each_family_names_its_choice(choice):
    with kernels.using(choice):
        facts = refquant.show_config(as_dict=True)["kernels"]
    assert facts["chosen"] == choice
    assert set(facts["families"].values()) == {choice}


def test_engine_and_threads():
    with refquant.engines.using("qnnpack"):
        assert refquant.show_config(as_dict=True)["engine"] == "qnnpack"
    assert refquant.show_config(as_dict=True)["threads"] == refquant.get_num_threads()


def test_variables_that_are_set_are_shown(monkeypatch):
    monkeypatch.setenv("REFQUANT_KERNELS", "reference")
    environment = refquant.show_config(as_dict=True)["environment"]
    assert environment["REFQUANT_KERNELS"] == "reference"


def test_compiler_and_flags_are_known_where_kernels_are():
    facts = refquant.show_config(as_dict=True)
    if not kernels.built():
        assert facts["compiler"] is None
        return
    assert facts["compiler"].split()[0] in ("gcc", "clang", "msvc")
    assert set(kernels.built()) <= set(facts["flags"])
    if not facts["compiler"].startswith("msvc"):
        assert "-ffp-contract=off" in facts["flags"]["common"]
        assert "fast-math" not in str(facts["flags"])
