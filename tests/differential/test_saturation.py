"""A deviation on purpose: FBGEMM's pairs of products in 16 bits are an accident of processors."""

import numpy as np
import pytest

import refquant


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning")
def test_the_sums_of_fbgemm_saturate_in_depthwise_convolutions(torch, engine_of_both):
    results = []
    for T in (torch, refquant):
        make, ops = T._make_per_tensor_quantized_tensor, T.ops.quantized
        x = make(T.from_numpy(np.full((1, 8, 4, 4), 255, np.uint8)), 1.0, 0)
        weight = make(T.from_numpy(np.full((8, 1, 3, 3), 127, np.int8)), 1.0, 0)
        packed = ops.conv2d_prepack(weight, None, [1, 1], [1, 1], [1, 1], 8)
        results.append(ops.conv2d(x, packed, 255.0 * 127 * 9 / 200, 0).int_repr().numpy())
    wanted, got = results
    assert got[0, 0, 1, 1] == 200
    assert (wanted == got).all() == (engine_of_both == "qnnpack")
