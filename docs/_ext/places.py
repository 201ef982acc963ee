"""Where a name of PyTorch 2.13 is in refquant; needs refquant alone."""

import importlib

import refquant

# Kernels that a function of another name calls.
CALLED_BY = {
    "_index_put_impl_": "Tensor.index_put_",
    "_prelu_kernel": "prelu",
    "_upsample_nearest_exact2d": "nn.functional.interpolate",
    "_upsample_nearest_exact3d": "nn.functional.interpolate",
    "adaptive_avg_pool3d": "nn.functional.adaptive_avg_pool3d",
    "reflection_pad1d": "nn.functional.pad",
    "reflection_pad2d": "nn.functional.pad",
    "upsample_bilinear2d": "nn.functional.interpolate",
    "upsample_nearest2d": "nn.functional.interpolate",
    "upsample_nearest3d": "nn.functional.interpolate",
}


def resolve(path):
    """Find a dotted name of refquant, or None."""
    at, parts = refquant, path.split(".")
    if parts[0] == "Tensor":
        at, parts = (
            refquant.quantize_per_tensor(refquant.zeros(1), 1.0, 0, refquant.quint8),
            parts[1:],
        )
        return getattr(type(at), parts[0], None)
    for index, part in enumerate(parts):
        try:
            at = getattr(at, part)
        except (AttributeError, RuntimeError):
            try:
                at = importlib.import_module(".".join(["refquant", *parts[: index + 1]]))
            except ImportError:
                return None
    return at


def place(name):
    """Return the path in refquant of a name of PyTorch, None if it is not there."""
    if name.startswith("aten::"):
        bare = name[6:]
        plain = bare.lstrip("_")
        candidates = [CALLED_BY[bare]] if bare in CALLED_BY else []
        candidates += [bare, plain, f"nn.functional.{plain}", f"Tensor.{bare}"]
    else:
        candidates = [name.removeprefix("torch.")]
    return next((path for path in candidates if resolve(path) is not None), None)
