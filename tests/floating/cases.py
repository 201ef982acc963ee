"""Every differentiable operation, written against a namespace that is refquant or torch.

Rows of operations bring their own cases; here are those of operations with operands of particular
shapes, and of operators, views and layers. A case is a function of the namespace and of float
tensors, and the shapes of these. Numbers are drawn between -2 and 2 unless the case names another
range; ties, where gradients are a matter of convention, are left to the tests that name them.
"""

import functools
import inspect
from typing import Any, NamedTuple

from refquant.ops.rows import ROWS


class Case(NamedTuple):
    function: Any
    shapes: tuple
    low: float = -2.0
    high: float = 2.0


def _f(T):
    return T.nn.functional


CASES = {
    # arithmetic
    "add": Case(lambda T, x, y: x + y, ((3, 4), (4,))),
    "sub": Case(lambda T, x, y: x - y, ((2, 3, 1), (1, 4))),
    "numbers": Case(lambda T, x: (2 - x) / 3 + 1 / (x + 3) - 2**x, ((5,),)),
    "pow_number": Case(lambda T, x: x**3, ((3, 4),)),
    "remainder": Case(lambda T, x: T.remainder(x, 0.7), ((9,),)),
    "fmod": Case(lambda T, x, y: T.fmod(x, abs(y) + 0.3) + x.fmod(0.7), ((9,), (9,))),
    "scalar_tensor": Case(lambda T, x, y: x * y, ((), (3, 2))),
    # products
    "matmul": Case(lambda T, x, y: x @ y, ((3, 4), (4, 5))),
    "matmul_batch": Case(lambda T, x, y: T.matmul(x, y), ((2, 1, 3, 4), (5, 4, 2))),
    "matmul_vectors": Case(lambda T, x, y: T.matmul(x, y), ((4,), (4,))),
    "matmul_row": Case(lambda T, x, y: T.matmul(x, y), ((4,), (2, 4, 3))),
    "matmul_column": Case(lambda T, x, y: T.matmul(x, y), ((2, 3, 4), (4,))),
    "bmm": Case(lambda T, x, y: T.bmm(x, y), ((2, 3, 4), (2, 4, 2))),
    "mv": Case(lambda T, x, y: T.mv(x, y), ((3, 4), (4,))),
    "outer": Case(lambda T, x, y: T.outer(x, y), ((3,), (4,))),
    "addmm": Case(lambda T, x, y, z: T.addmm(x, y, z, beta=0.5, alpha=2), ((2, 3), (2, 4), (4, 3))),
    "linear": Case(lambda T, x, w, b: _f(T).linear(x, w, b), ((2, 3, 4), (5, 4), (5,))),
    "linear_vector": Case(lambda T, x, w: _f(T).linear(x, w), ((4,), (5, 4))),
    "prelu": Case(lambda T, x, w: _f(T).prelu(x, w), ((2, 3, 4), (3,))),
    "prelu_one": Case(lambda T, x, w: T.prelu(x, w), ((5,), (1,))),
    "threshold": Case(lambda T, x: _f(T).threshold(x, 0.3, 7.0), ((3, 4),)),
    # choice
    "where": Case(lambda T, x, y: T.where(x > y, x * 2, y), ((3, 4), (4,))),
    "masked_fill": Case(lambda T, x: x.masked_fill(x > 0.5, 7.0), ((3, 4),)),
    # reductions
    "sum_dims": Case(lambda T, x: x.sum((0, 2), keepdim=True), ((3, 4, 2),)),
    "max_dim": Case(lambda T, x: T.max(x, 1)[0], ((3, 4),)),
    "min_dim": Case(lambda T, x: x.min(0, keepdim=True)[0], ((3, 4),)),
    "max_other": Case(lambda T, x, y: T.max(x, y), ((3, 4), (3, 4))),
    "sort": Case(lambda T, x: T.sort(x, 1, descending=True)[0] * T.arange(4), ((3, 4),)),
    "topk": Case(lambda T, x: T.topk(x, 2, 0, largest=False)[0], ((3, 4),)),
    "gather": Case(lambda T, x: T.gather(x, 1, T.tensor([[0, 0], [2, 1], [3, 3]])), ((3, 4),)),
    "index_select": Case(lambda T, x: T.index_select(x, 1, T.tensor([2, 2, 0])), ((3, 4),)),
    "masked_select": Case(lambda T, x: T.masked_select(x, x > 0), ((3, 4),)),
    "flip": Case(lambda T, x: T.flip(x, (0, 1)), ((3, 4),)),
    "fliplr": Case(lambda T, x: T.fliplr(x) * T.flipud(x), ((3, 4),)),
    "rot90": Case(lambda T, x: T.rot90(x, 1, (1, 2)), ((2, 3, 4),)),
    "rot90_half": Case(lambda T, x: T.rot90(x, 2, (0, -1)) * T.rot90(x, 4), ((3, 4),)),
    "rot90_back": Case(lambda T, x: T.rot90(x, -1), ((3, 4),)),
    "index_put": Case(
        lambda T, x, y: T.index_put(x, (T.tensor([2, 0]), T.tensor([1, 1])), y), ((3, 4), (2,))
    ),
    "index_put_added": Case(
        lambda T, x, y: x.index_put((T.tensor([2, 2, 0]),), y, accumulate=True), ((3, 4), (4,))
    ),
    "index_put_": Case(
        lambda T, x, y: (x * 1).index_put_((T.tensor([True, False, True]),), y), ((3, 4), (2, 4))
    ),
    "channel_shuffle": Case(lambda T, x: _f(T).channel_shuffle(x, 3), ((2, 6, 2),)),
    "pixel_shuffle": Case(lambda T, x: _f(T).pixel_shuffle(x, 2), ((2, 8, 2, 3),)),
    "pixel_unshuffle": Case(lambda T, x: _f(T).pixel_unshuffle(x, 2), ((3, 2, 4, 6),)),
    # views
    "view": Case(lambda T, x: x.view(2, -1) * 2, ((3, 4),)),
    "reshape_copy": Case(lambda T, x: x.t().reshape(2, 6), ((3, 4),)),
    "flatten": Case(lambda T, x: T.flatten(x, 1), ((2, 3, 4),)),
    "unflatten": Case(lambda T, x: x.unflatten(1, (2, 2)), ((3, 4),)),
    "permute": Case(lambda T, x: x.permute(2, 0, 1), ((2, 3, 4),)),
    "transpose": Case(lambda T, x: T.transpose(x, 0, -1), ((2, 3, 4),)),
    "movedim": Case(lambda T, x: T.movedim(x, 0, 2), ((2, 3, 4),)),
    "unsqueeze": Case(lambda T, x: x.unsqueeze(-1).unsqueeze(0), ((2, 3),)),
    "squeeze": Case(lambda T, x: x.squeeze(), ((2, 1, 3, 1),)),
    "swapaxes": Case(lambda T, x: T.swapaxes(x, 0, -1), ((2, 3, 4),)),
    "unfold": Case(lambda T, x: x.unfold(1, 3, 2), ((2, 7, 3),)),
    "unfold_overlapping": Case(lambda T, x: x.unfold(-1, 3, 1), ((2, 5),)),
    "expand": Case(lambda T, x: x.expand(2, 3, -1), ((3, 1),)),
    "as_strided": Case(lambda T, x: T.as_strided(x, (3, 3), (1, 2), 1), ((3, 4),)),
    "contiguous": Case(lambda T, x: x.permute(0, 2, 3, 1).contiguous(), ((1, 2, 3, 2),)),
    "select": Case(lambda T, x: x.select(1, -2), ((3, 4),)),
    "narrow": Case(lambda T, x: x.narrow(0, 1, 2), ((3, 4),)),
    "split": Case(lambda T, x: T.split(x, (1, 3), 1)[1], ((3, 4),)),
    "chunk": Case(lambda T, x: x.chunk(2)[0], ((3, 4),)),
    "unbind": Case(lambda T, x: T.unbind(x, 1)[2], ((3, 4),)),
    "index": Case(lambda T, x: x[1:, None, ..., ::2], ((3, 4),)),
    "index_tensor": Case(lambda T, x: x[[0, 2, 0], 1:], ((3, 4),)),
    "index_mixed": Case(lambda T, x: x[0, :, [1, 1, 3]], ((2, 3, 4),)),
    "index_mask": Case(lambda T, x: x[x > 0.1], ((3, 4),)),
    "triu": Case(lambda T, x: T.triu(x, 1) + T.tril(x), ((3, 4),)),
    # joining
    "cat": Case(lambda T, x, y: T.cat([x, y, x], 1), ((3, 2), (3, 4))),
    "stack": Case(lambda T, x, y: T.stack((x, y), -1), ((3, 2), (3, 2))),
    "repeat": Case(lambda T, x: x.repeat(2, 1, 3), ((3, 2),)),
    "tile": Case(lambda T, x: T.tile(x, (2,)) + x.tile(2, 1, 1)[0, 0, 0], ((3, 2),)),
    "repeat_interleave": Case(lambda T, x: T.repeat_interleave(x, 2, 1), ((3, 2),)),
    "repeat_interleave_flat": Case(lambda T, x: x.repeat_interleave(3), ((3, 2),)),
    "repeat_interleave_each": Case(
        lambda T, x: x.repeat_interleave(T.tensor([2, 0, 1]), dim=0), ((3, 2),)
    ),
    "pad_reflect": Case(lambda T, x: _f(T).pad(x, (2, 1, 1, 2), "reflect"), ((2, 3, 4),)),
    "pad_reflect_cut": Case(lambda T, x: _f(T).pad(x, (-1, 2), "reflect"), ((2, 2, 5),)),
    "pad_replicate": Case(
        lambda T, x: _f(T).pad(x, (2, 1, 0, 3, 1, 1), "replicate"), ((1, 2, 2, 3, 4),)
    ),
    "pad_circular": Case(lambda T, x: _f(T).pad(x, (3, 1, 1, 2), "circular"), ((1, 2, 3, 4),)),
    "pad": Case(lambda T, x: _f(T).pad(x, (1, -1, 2, 0), value=3.0), ((2, 3, 4),)),
    "clone": Case(lambda T, x: x.clone() * x, ((3,),)),
    # in place
    "add_": Case(lambda T, x, y: (x * 1).add_(y).mul_(x), ((3, 4), (4,))),
    "setitem": Case(lambda T, x, y: _assigned(x * 1, y), ((3, 4), (2,))),
    "augmented": Case(lambda T, x, y: _augmented(x * 1, y), ((3, 4), (4,))),
    "relu_": Case(lambda T, x: (lambda h: h * 3 + T.relu_(h + 0))(x * 2), ((3, 4),)),
    # layers
    "batch_norm": Case(
        lambda T, x, w, b: _f(T).batch_norm(x, None, None, w, b, True), ((4, 3, 2, 2), (3,), (3,))
    ),
    "batch_norm_eval": Case(
        lambda T, x, w, b: _f(T).batch_norm(x, x[0, :, 0].detach(), abs(x[1, :, 0]).detach(), w, b),
        ((4, 3, 2), (3,), (3,)),
    ),
    "layer_norm": Case(
        lambda T, x, w, b: _f(T).layer_norm(x, (3, 2), w, b), ((4, 3, 2), (3, 2), (3, 2))
    ),
    "mse_loss": Case(lambda T, x, y: _f(T).mse_loss(x, y), ((3, 4), (3, 4))),
    "l1_loss": Case(lambda T, x, y: _f(T).l1_loss(x, y, reduction="sum"), ((3, 4), (3, 4))),
    "smooth_l1_loss": Case(lambda T, x, y: _f(T).smooth_l1_loss(x, y, beta=0.8), ((9,), (9,))),
    "cross_entropy": Case(lambda T, x: _f(T).cross_entropy(x, T.tensor([1, 0, 3])), ((3, 4),)),
    "cross_entropy_options": Case(
        lambda T, x, w: _f(T).cross_entropy(
            x, T.tensor([[1, 0], [2, -1], [1, 1]]), abs(w.detach()), ignore_index=-1
        ),
        ((3, 4, 2), (4,)),
    ),
    "cross_entropy_shares": Case(
        lambda T, x, y: _f(T).cross_entropy(x, T.softmax(y, 1)), ((3, 4), (3, 4))
    ),
    "cross_entropy_smoothed": Case(
        lambda T, x: _f(T).cross_entropy(
            x, T.tensor([[1, 0], [2, -1], [1, 1]]), ignore_index=-1, label_smoothing=0.2
        ),
        ((3, 4, 2),),
    ),
    "cross_entropy_smoothed_weights": Case(
        lambda T, x, w: _f(T).cross_entropy(
            x, T.tensor([1, -100, 3]), abs(w.detach()), label_smoothing=0.1
        ),
        ((3, 4), (4,)),
    ),
    "cross_entropy_smoothed_one": Case(
        lambda T, x: _f(T).cross_entropy(x, T.tensor(1), reduction="none", label_smoothing=1.0),
        ((3,),),
    ),
    "cross_entropy_smoothed_shares": Case(
        lambda T, x, y, w: _f(T).cross_entropy(
            x, T.softmax(y, 1), abs(w.detach()), label_smoothing=0.3
        ),
        ((3, 4), (3, 4), (4,)),
    ),
    "nll_loss_none": Case(
        lambda T, x: _f(T).nll_loss(x, T.tensor([1, 0]), reduction="none"), ((2, 3),)
    ),
    "nll_loss_one": Case(lambda T, x: _f(T).nll_loss(x, T.tensor(1)), ((3,),)),
    "binary_cross_entropy": Case(
        lambda T, x, y: _f(T).binary_cross_entropy(x, y.detach()), ((5,), (5,)), 0.1, 0.9
    ),
    "binary_cross_entropy_with_logits": Case(
        lambda T, x, y: _f(T).binary_cross_entropy_with_logits(x, y.detach()), ((5,), (5,))
    ),
    "binary_cross_entropy_with_logits_weights": Case(
        lambda T, x, y, w: _f(T).binary_cross_entropy_with_logits(
            x, y.detach(), pos_weight=abs(w.detach())
        ),
        ((4, 3), (4, 3), (3,)),
    ),
    "kl_div": Case(
        lambda T, x, y: _f(T).kl_div(x, y, reduction="batchmean"), ((3, 4), (3, 4)), 0.1, 0.9
    ),
    # windows
    "conv1d": Case(lambda T, x, w, b: _f(T).conv1d(x, w, b, 2, 1), ((2, 3, 7), (4, 3, 3), (4,))),
    "conv2d": Case(
        lambda T, x, w, b: _f(T).conv2d(x, w, b, (2, 1), (1, 2), (1, 2), 2),
        ((2, 4, 5, 6), (6, 2, 3, 2), (6,)),
    ),
    "conv_transpose1d": Case(
        lambda T, x, w, b: _f(T).conv_transpose1d(x, w, b, 2, 1, 1), ((2, 3, 4), (3, 2, 3), (2,))
    ),
    "conv3d": Case(
        lambda T, x, w: _f(T).conv3d(x, w, None, 1, 1), ((1, 2, 3, 3, 4), (2, 2, 2, 2, 3))
    ),
    "max_pool2d": Case(lambda T, x: _f(T).max_pool2d(x, 3, 2, 1), ((1, 2, 6, 5),)),
    "max_pool1d": Case(lambda T, x: T.max_pool1d(x, 3, 2, 1, ceil_mode=True), ((2, 3, 8),)),
    "max_pool1d_dilated": Case(lambda T, x: _f(T).max_pool1d(x, 2, 1, 1, 3), ((3, 8),)),
    "max_pool3d": Case(lambda T, x: _f(T).max_pool3d(x, (2, 3, 2), 2, 1), ((1, 2, 4, 5, 3),)),
    "avg_pool1d": Case(
        lambda T, x: T.avg_pool1d(x, 3, 2, 1, True, count_include_pad=False), ((2, 3, 8),)
    ),
    "avg_pool3d": Case(
        lambda T, x: _f(T).avg_pool3d(x, 2, (1, 2, 2), (0, 1, 1), True), ((2, 4, 3, 5),)
    ),
    "avg_pool3d_divisor": Case(
        lambda T, x: _f(T).avg_pool3d(x, 2, divisor_override=3), ((1, 2, 4, 3, 4),)
    ),
    "interpolate_exact": Case(
        lambda T, x: _f(T).interpolate(x, scale_factor=(1.7, 0.6), mode="nearest-exact"),
        ((1, 2, 4, 5),),
    ),
    "interpolate_area": Case(
        lambda T, x: _f(T).interpolate(x, (2, 3, 2), mode="area"), ((1, 2, 4, 5, 3),)
    ),
    "interpolate_recomputed": Case(
        lambda T, x: _f(T).interpolate(
            x, scale_factor=1.4, mode="bilinear", recompute_scale_factor=True, align_corners=False
        ),
        ((1, 2, 4, 5),),
    ),
    "grid_sample": Case(
        lambda T, x, g: _f(T).grid_sample(x, g, align_corners=False),
        ((2, 3, 4, 5), (2, 3, 2, 2)),
        -1.2,
        1.2,
    ),
    "grid_sample_border": Case(
        lambda T, x, g: _f(T).grid_sample(x, g, "bilinear", "border", align_corners=True),
        ((2, 3, 4, 5), (2, 3, 2, 2)),
        -1.4,
        1.4,
    ),
    "grid_sample_reflection": Case(
        lambda T, x, g: _f(T).grid_sample(x, g, "bilinear", "reflection", align_corners=False),
        ((2, 3, 4, 5), (2, 3, 2, 2)),
    ),
    "grid_sample_reflection_corners": Case(
        lambda T, x, g: _f(T).grid_sample(x, g, "bilinear", "reflection", align_corners=True),
        ((2, 3, 4, 5), (2, 3, 2, 2)),
    ),
    "grid_sample_nearest": Case(
        lambda T, x, g: _f(T).grid_sample(x, g, "nearest", "border", align_corners=False),
        ((2, 3, 4, 5), (2, 3, 2, 2)),
    ),
    "adaptive_avg_pool1d": Case(lambda T, x: T.adaptive_avg_pool1d(x, 3), ((2, 2, 7),)),
    "adaptive_avg_pool3d": Case(
        lambda T, x: _f(T).adaptive_avg_pool3d(x, (2, None, 3)), ((2, 2, 3, 2, 5),)
    ),
    "avg_pool2d": Case(
        lambda T, x: _f(T).avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        ((1, 2, 6, 5),),
    ),
    "adaptive_avg_pool2d": Case(lambda T, x: _f(T).adaptive_avg_pool2d(x, (3, 2)), ((2, 2, 5, 7),)),
    "nearest": Case(lambda T, x: _f(T).interpolate(x, size=(5, 3)), ((1, 2, 3, 4),)),
    "bilinear": Case(
        lambda T, x: _f(T).interpolate(x, scale_factor=1.7, mode="bilinear"), ((1, 2, 3, 4),)
    ),
    "bilinear_corners": Case(
        lambda T, x: _f(T).interpolate(x, size=(5, 7), mode="bilinear", align_corners=True),
        ((1, 2, 3, 4),),
    ),
}


def _assigned(whole, part):
    whole[1, ::2] = part
    return whole


def _augmented(whole, part):
    whole[1] += part
    whole[:, 2] *= 3
    return whole


def _call(row, options, T, *operands):
    place = T if "refquant" in row.at else T.nn.functional
    return getattr(place, row.name)(*operands, **options)


def cases_of(row):
    """Return the cases of a row: operands that broadcast, with each choice of other arguments."""
    for options in row.options:
        required = [
            p.name
            for p in inspect.signature(row.function).parameters.values()
            if p.default is p.empty and p.name not in options
        ]
        shapes = ((3, 4), (4,), (3, 4))[: len(required)]
        told = "".join(f" {name}={value}" for name, value in options.items())
        yield row.name + told, Case(functools.partial(_call, row, options), shapes, *row.domain)


DIFFERENTIABLE = [row for row in ROWS if row.domain is not None]
CASES.update(case for row in DIFFERENTIABLE for case in cases_of(row))
