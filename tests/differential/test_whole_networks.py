"""Six networks by the recipes of PyTorch 2.13: integers compared with an installed PyTorch."""

import pytest
from differential.networks import NETWORKS
from differential.whole_networks import RECIPES, compare
from oracle.processors import has_library_of_records

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("instructions_of_records")]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_integers_of_pytorch(torch, name, recipe):
    for engine in ("fbgemm", "qnnpack"):
        result = compare(torch, name, recipe, engine)
        assert result.wrong == []
        assert result.integers > 20_000
        assert result.parted == 0
        if has_library_of_records(torch):  # else scales differ by what sums of floats move them
            assert result.moved == 0
            assert result.end_to_end == 0
