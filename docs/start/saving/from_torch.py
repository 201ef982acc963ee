"""Take the state of a PyTorch model over: to be run where both are installed."""

import torch

import refquant


def take_over(value):
    """Make of a value of PyTorch's state dict the one that refquant has in its place."""
    if isinstance(value, tuple):  # the weight and bias of a linear layer
        return tuple(map(take_over, value))
    if not isinstance(value, torch.Tensor):
        return None  # the dtype of a weight, which the weight says itself
    if not value.is_quantized:
        return refquant.as_tensor(value.detach().numpy())
    integers = refquant.as_tensor(value.int_repr().numpy())
    if value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return refquant._make_per_tensor_quantized_tensor(
            integers, value.q_scale(), value.q_zero_point()
        )
    return refquant._make_per_channel_quantized_tensor(
        integers,
        refquant.as_tensor(value.q_per_channel_scales().numpy()),
        refquant.as_tensor(value.q_per_channel_zero_points().numpy()),
        value.q_per_channel_axis(),
    )


def take_over_state(state):
    """Make a state dict of refquant of one of PyTorch."""
    return {name: take_over(value) for name, value in state.items()}
