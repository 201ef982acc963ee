"""What the tests of deviations share: small images in both libraries, and one engine for both."""

import numpy as np
import pytest

import refquant


class Pair:
    """The same quantized tensors here and there, and one engine for both."""

    def __init__(self, peer, engine):
        self.peer = peer
        peer.backends.quantized.engine = engine
        refquant.engines.use(engine)

    def image(self, integers, scale=1.0, zero_point=0):
        """Both forms of a quint8 tensor."""
        array = np.ascontiguousarray(integers, np.uint8)
        theirs = self.peer._make_per_tensor_quantized_tensor(
            self.peer.from_numpy(array.copy()), scale, zero_point
        )
        return theirs, refquant.QuantizedTensor(array, refquant.quint8, scale, zero_point)

    def weight(self, integers, scale=1.0):
        """Both forms of a qint8 tensor."""
        array = np.ascontiguousarray(integers, np.int8)
        theirs = self.peer._make_per_tensor_quantized_tensor(
            self.peer.from_numpy(array.copy()), scale, 0
        )
        return theirs, refquant.QuantizedTensor(array, refquant.qint8, scale, 0)


@pytest.fixture
def qnnpack(torch):
    """Both libraries with the engine qnnpack."""
    return Pair(torch, "qnnpack")


@pytest.fixture
def fbgemm(torch):
    """Both libraries with the engine fbgemm."""
    return Pair(torch, "fbgemm")
