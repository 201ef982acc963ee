"""Every operation compared with an installed PyTorch 2.13, on random shapes and parameters.

``tests/differential/table.py`` prints what was compared, with more cases.
"""

import re

import pytest
from differential.comparison import OPERATIONS, compare

import refquant

CASES = [
    pytest.param(name, engine, id=f"{name}-{engine}")
    for name, function in OPERATIONS.items()
    for engine in function.engines
]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "engine"), CASES)
def test_refquant_answers_like_pytorch(torch, name, engine):
    count = compare(torch, name, engine, cases=30, seed=5)
    assert count.elements
    assert not count.differences, count.first


def test_every_operation_is_compared():
    compared = {word for name in OPERATIONS for word in re.findall(r"[\w.]+", name)}
    # Older names of the same functions.
    same = {"conv_prepack", "conv_unpack", "linear_prepack_fp16", "linear_unpack_fp16"}
    assert set(refquant.ops.quantized.__all__) - same <= compared
    functional = {name.removeprefix("functional.") for name in compared}
    assert set(refquant.nn.quantized.functional.__all__) <= functional


def test_the_table_counts_recorded_answers():
    from differential import table

    rows = [row for row in table.recorded_rows() if row[0] in ("elu", "scalars")]
    assert {row[1] for row in rows} >= {"fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4"}
    assert all(row[3] > 1000 for row in rows)
    assert not sum(row[4] for row in rows)
    printed = list(table.lines("program", rows))
    assert printed[0].startswith("| program | engine |")
    assert printed[-1].endswith("**0** |")
