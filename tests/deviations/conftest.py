"""What the tests of deviations share: the peer, with one thread, and small images."""

import warnings

import numpy as np
import pytest

import refquant


@pytest.fixture
def torch():
    """PyTorch 2.13 with one thread; its engine is put back afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, about itself
        peer = pytest.importorskip("torch", reason="PyTorch is not installed")
        if not peer.__version__.startswith("2.13."):
            pytest.skip(f"PyTorch {peer.__version__} is installed, the faults are those of 2.13")
        missing = {"fbgemm", "qnnpack"} - set(peer.backends.quantized.supported_engines)
        if missing:
            pytest.skip(f"this PyTorch lacks {', '.join(missing)}")
        engine, threads = peer.backends.quantized.engine, peer.get_num_threads()
        peer.set_num_threads(1)
        yield peer
        peer.set_num_threads(threads)
        peer.backends.quantized.engine = engine


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
