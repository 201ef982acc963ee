"""What the tests of saving share: values, and when two of them are the same."""

import io

import refquant


def written(value) -> bytes:
    file = io.BytesIO()
    refquant.save(value, file)
    return file.getvalue()


def again(value):
    return refquant.load(io.BytesIO(written(value)))


def per_channel():
    return refquant.quantize_per_channel(
        refquant.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        refquant.tensor([0.1, 0.2, 1 / 3]),
        refquant.tensor([0, 3, -5]),
        1,
        refquant.qint8,
    )


def per_tensor(dtype=refquant.quint8):
    return refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0, 3.0]), 0.1, 7, dtype)


def same(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, refquant.QuantizedTensor):
        return refquant.equal(a, b) and a.stride() == b.stride()
    if isinstance(a, refquant.Tensor):
        return (
            a.dtype is b.dtype
            and a.stride() == b.stride()
            and a.array.tobytes() == b.array.tobytes()
            and a.requires_grad == b.requires_grad
            and a.shape == b.shape
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b or a == b or (a != a and b != b)
