"""Every operation compared with an installed PyTorch 2.13, on random shapes and parameters.

``tests/differential/table.py`` prints what was compared, with more cases.
"""

import pytest
from cases import registry
from differential.comparison import compare

CASES = [
    pytest.param(operation, engine, id=f"{name}-{engine}")
    for name, operation in registry.load().items()
    for engine in operation.live
]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(("operation", "engine"), CASES)
def test_refquant_answers_like_pytorch(torch, operation, engine, request):
    if operation.needs_vnni(engine):
        request.getfixturevalue("instructions_of_records")
    recorded = ("2.13", engine) in operation.peers
    count = compare(torch, operation, engine, cases=60 if recorded else 20, seed=5)
    assert count.elements
    assert not count.differences, count.first


def test_the_table_counts_recorded_answers():
    from differential import table

    rows = [row for row in table.recorded_rows() if row[0] in ("relu", "add_scalar")]
    assert {row[1] for row in rows} >= {"fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4"}
    assert all(row[3] > 1000 for row in rows)
    assert not sum(row[4] for row in rows)
    printed = list(table.lines("operation", rows))
    assert printed[0].startswith("| operation | engine |")
    assert printed[-1].endswith("**0** |")
