"""Lab 3: observers and ranges, scales for channels, and where to clip."""

import numpy as np

import refquant
from refquant import quantization
from refquant.course.records import Mistake, Question

__all__ = ["QUESTIONS"]

_RNG = np.random.default_rng(3)
_BATCHES = [_RNG.normal(size=40).astype(np.float32) * size for size in (1, 3, 0.5, 2)]
_SIZES = np.array([1, 0.1, 0.01, 5], np.float32)
_MATRIX = _SIZES[:, None] * _RNG.uniform(-1, 0.9, (4, 4)).astype(np.float32)
_FILTERS = _SIZES[:, None, None, None] * _RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
_SCALES = np.array([0.01, 0.0005, 0.0001, 0.03], np.float32)
_LAPLACE = _RNG.laplace(size=2000).astype(np.float32)
_CLIPS = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0])
_SUMS = _RNG.integers(-9000, 9000, (4, 4))

# -- right answers, by refquant ------------------------------------------------------------------


def _seen(observer, batches):
    for batch in batches:
        observer(refquant.from_numpy(batch))
    return observer.min_val.item(), observer.max_val.item()


def min_max(batches):
    """Return the range of all batches."""
    return _seen(quantization.MinMaxObserver(), batches)


def moving_min_max(batches, c):
    """Return moving averages of the ranges of batches."""
    return _seen(quantization.MovingAverageMinMaxObserver(averaging_constant=c), batches)


def reduced_qparams(low, high):
    """Return scale and zero point of 7 bits for a range."""
    observer = quantization.MinMaxObserver(reduce_range=True)
    observer(refquant.tensor([low, high]))
    scale, zero_point = observer.calculate_qparams()
    return scale.item(), zero_point.item()


def channel_scales(w):
    """Return the symmetric scale of each output channel."""
    observer = quantization.PerChannelMinMaxObserver(
        dtype=refquant.qint8, qscheme=refquant.per_channel_symmetric
    )
    observer(refquant.from_numpy(w))
    return observer.calculate_qparams()[0].numpy()


def quantize_channels(w, scales):
    """Return the integers of qint8, with one scale for each output channel."""
    zero_points = refquant.zeros(len(scales)).to(refquant.int64)
    given = refquant.from_numpy(w), refquant.from_numpy(scales), zero_points
    return refquant.quantize_per_channel(*given, 0, refquant.qint8).int_repr().numpy()


def real_outputs(sums, s_rows, s_channels):
    """Return real outputs of accumulators, with scales for rows and for channels."""
    return sums * s_rows[:, None] * s_channels


def clipping_error(x, clip, levels):
    """Return the mean squared error of a symmetric grid."""
    half = levels // 2
    back = refquant.fake_quantize_per_tensor_affine(
        refquant.from_numpy(x), 2 * float(clip) / (levels - 1), 0, -half, half - 1
    )
    return float(np.mean((back.numpy().astype(np.float64) - x) ** 2))


def best_clip(x, clips, levels):
    """Return the clipping point with the least error."""
    return float(min(clips, key=lambda clip: clipping_error(x, clip, levels)))


def laplace_clip(b, levels):
    """Return the best clipping point for a Laplace density."""
    target = np.log(3 * levels**2)
    t = target
    for _ in range(50):
        t -= (t + np.log(t) - target) / (1 + 1 / t)
    return float(b * t)


# -- what goes wrong -----------------------------------------------------------------------------


def _average_of_extremes(batches):
    lows, highs = [b.min() for b in batches], [b.max() for b in batches]
    return float(np.mean(lows)), float(np.mean(highs))


def _moving(batches, c, start=None):
    low, high = start or (batches[0].min(), batches[0].max())
    for batch in batches if start else batches[1:]:
        low, high = low + c * (batch.min() - low), high + c * (batch.max() - high)
    return float(low), float(high)


def _qparams(low, high, gaps, largest=127):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / gaps
    return scale, int(np.clip(round(-low / scale), 0, largest))


def _largest(w, axis):
    return np.abs(w).max(axis=axis) / np.float32(127.5)


def _along_channels(w, scales):
    return scales.reshape(-1, *[1] * (w.ndim - 1))


def _by_channels(w, scales, low=-128, round_by=np.rint):
    return np.clip(round_by(w / _along_channels(w, scales)), low, 127).astype(np.int8)


def _clipped(x, clip, levels, gaps):
    step, half = 2 * clip / gaps, levels // 2
    return step * np.clip(np.rint(x / step), -half, half - 1)


QUESTIONS = (
    Question(
        "3.1",
        "The range of all data",
        "Return the smallest and the largest value of all arrays in the list `batches`, as a "
        "`MinMaxObserver` collects them.",
        min_max,
        ((_BATCHES,), (_BATCHES[:1],), (_BATCHES[::-1],)),
        "the range is the smallest and the largest value of everything that was seen",
        "choosing",
        (
            Mistake(
                "takes the last batch alone",
                lambda batches: (float(batches[-1].min()), float(batches[-1].max())),
            ),
            Mistake("averages the ranges of the batches", _average_of_extremes),
            Mistake(
                "takes the first batch alone",
                lambda batches: (float(batches[0].min()), float(batches[0].max())),
            ),
        ),
        ("compare each batch with what was seen before", "a minimum of minima"),
    ),
    Question(
        "3.2",
        "A moving average of ranges",
        "Return the range that a `MovingAverageMinMaxObserver` keeps: the first batch sets it, and "
        "each later batch moves both ends by the share `c` of the way to its own.",
        moving_min_max,
        ((_BATCHES, 0.1), (_BATCHES, 0.4), (_BATCHES[::-1], 0.01)),
        "low = low + c * (min(x) - low), begun with the first batch",
        "ranges",
        (
            Mistake(
                "begins with a range of 0 instead of that of the first batch",
                lambda batches, c: _moving(batches, c, (0.0, 0.0)),
            ),
            Mistake(
                "takes the share c of the old range instead of the new one",
                lambda batches, c: _moving(batches, 1 - c),
            ),
            Mistake(
                "averages all batches alike",
                lambda batches, c: _average_of_extremes(batches),
            ),
        ),
        ("the first batch is taken whole", "low += c * (batch.min() - low)"),
    ),
    Question(
        "3.3",
        "Seven bits",
        "Some processors add pairs of products in 16 bits, so activations get 7 bits "
        "(`reduce_range`): integers 0 to 127. Return scale and zero point for a range.",
        reduced_qparams,
        ((-1.0, 1.55), (5.0, 6.0), (-3.0, -1.0), (0.0, 6.0)),
        "0..127 has 127 gaps, for the range widened to contain zero",
        "saturation",
        (
            Mistake(
                "divides by the 255 gaps of 8 bits",
                lambda low, high: _qparams(low, high, 255, 255),
            ),
            Mistake(
                "divides by 128; 128 marks have 127 gaps",
                lambda low, high: _qparams(low, high, 128),
            ),
            Mistake(
                "halves the zero point of 8 bits, but not the number of steps",
                lambda low, high: (
                    _qparams(low, high, 255, 255)[0],
                    _qparams(low, high, 255, 255)[1] // 2,
                ),
            ),
        ),
        ("question 1.4 with another largest integer", "the zero point is in 0..127, too"),
    ),
    Question(
        "3.4",
        "A scale for each channel",
        "Return the symmetric scales of qint8 for the output channels of a weight `w`, which lie "
        "along axis 0, whatever follows: an array of shape `(len(w),)`.",
        channel_scales,
        ((_MATRIX,), (_FILTERS,), (-_MATRIX,)),
        "each output channel has its own scale, its largest magnitude over 127.5",
        "per_channel",
        (
            Mistake(
                "gives all channels the scale of the whole weight",
                lambda w: np.full(len(w), np.abs(w).max() / 127.5),
            ),
            Mistake(
                "divides by 127; PyTorch divides by half of the 255 gaps, 127.5",
                lambda w: _largest(w.reshape(len(w), -1), 1) * np.float32(127.5 / 127),
            ),
            Mistake(
                "takes the largest value, where the smallest one may be larger in magnitude",
                lambda w: w.reshape(len(w), -1).max(axis=1) / np.float32(127.5),
            ),
            Mistake(
                "averages magnitudes instead of taking the largest",
                lambda w: np.abs(w).reshape(len(w), -1).mean(axis=1) / np.float32(127.5),
            ),
        ),
        (
            "w.reshape(len(w), -1) has one row for each output channel",
            "np.abs and .max(axis=1)",
        ),
    ),
    Question(
        "3.5",
        "Quantizing by channels",
        "Return the integers of qint8 for a weight with one scale for each output channel and the "
        "zero point 0, as an array of int8.",
        quantize_channels,
        ((_MATRIX, _SCALES), (_MATRIX, _SCALES * np.float32(0.37)), (2 * _MATRIX, _SCALES)),
        "every element is divided by the scale of its row, rounded and clipped to -128..127",
        "per_channel",
        (
            Mistake(
                "divides columns by the scales, which belong to rows: give them the shape (n, 1)",
                lambda w, scales: np.clip(np.rint(w / scales), -128, 127).astype(np.int8),
            ),
            Mistake(
                "does not clip, so that integers wrap around in int8",
                lambda w, scales: (
                    np.rint(w / _along_channels(w, scales)).astype(np.int64).astype(np.int8)
                ),
            ),
            Mistake(
                "cuts off instead of rounding",
                lambda w, scales: _by_channels(w, scales, round_by=np.trunc),
            ),
            Mistake(
                "clips at -127; PyTorch's qint8 begins at -128",
                lambda w, scales: _by_channels(w, scales, low=-127),
            ),
        ),
        ("NumPy broadcasts along the last axis", "scales[:, None] for a matrix"),
    ),
    Question(
        "3.6",
        "Scales that leave the sum",
        "Each row of the input has its scale `s_rows[m]`, each output channel `s_channels[n]`. "
        "Return the real outputs of the accumulators `sums[m, n]`.",
        real_outputs,
        ((_SUMS, _SCALES[::-1].copy(), _SCALES), (_SUMS, 10 * _SCALES, _SCALES)),
        "every scale that does not depend on k leaves the sum: y = s_rows[m] * s_channels[n] * a",
        "per_channel",
        (
            Mistake(
                "multiplies rows by the scales of channels and channels by those of rows",
                lambda sums, s_rows, s_channels: sums * s_channels[:, None] * s_rows,
            ),
            Mistake(
                "forgets the scales of the rows",
                lambda sums, s_rows, s_channels: sums * s_channels,
            ),
            Mistake(
                "multiplies both scales along columns",
                lambda sums, s_rows, s_channels: sums * s_rows * s_channels,
            ),
        ),
        ("one factor for each element of the output", "s_rows[:, None] stands along rows"),
    ),
    Question(
        "3.7",
        "What clipping costs",
        "A symmetric grid of `levels` integers, from `-levels / 2` to `levels / 2 - 1`, spans "
        "`2 * clip`: its step is `2 * clip / (levels - 1)`. Return the mean squared error of `x` "
        "on it.",
        clipping_error,
        tuple((_LAPLACE, clip, levels) for clip in (1.0, 5.0, 14.0) for levels in (8, 16, 256)),
        "the error is what rounding and clipping make of it together, squared and averaged",
        "clipping",
        (
            Mistake(
                "does not clip, so that a narrow range costs nothing",
                lambda x, clip, levels: float(
                    np.mean((_clipped(x, clip, 2**30, levels - 1) - x) ** 2)
                ),
            ),
            Mistake(
                "divides by the number of integers; there is one gap fewer",
                lambda x, clip, levels: float(
                    np.mean((_clipped(x, clip, levels, levels) - x) ** 2)
                ),
            ),
            Mistake(
                "sums the squares instead of averaging them",
                lambda x, clip, levels: x.size * clipping_error(x, clip, levels),
            ),
            Mistake(
                "returns the root of the mean square",
                lambda x, clip, levels: clipping_error(x, clip, levels) ** 0.5,
            ),
        ),
        ("question 1.6 with the zero point 0 and other ends", "np.mean((back - x) ** 2)"),
    ),
    Question(
        "3.8",
        "Where to clip",
        "Return that of the numbers in the array `clips` that has the least error by question 3.7.",
        best_clip,
        tuple((_LAPLACE, _CLIPS, levels) for levels in (4, 8, 16, 256)),
        "a wider range rounds more coarsely, a narrower one clips more: the sum has a minimum",
        "clipping",
        (
            Mistake(
                "takes the widest range: nothing is clipped, and rounding is coarse",
                lambda x, clips, levels: float(clips.max()),
            ),
            Mistake(
                "takes the narrowest range: the steps are fine, and nearly all is clipped",
                lambda x, clips, levels: float(clips.min()),
            ),
            Mistake(
                "returns the error itself, not the clipping point",
                lambda x, clips, levels: min(clipping_error(x, clip, levels) for clip in clips),
            ),
            Mistake(
                "returns the place of the clipping point in the array",
                lambda x, clips, levels: float(
                    np.argmin([clipping_error(x, clip, levels) for clip in clips])
                ),
            ),
        ),
        ("try all of them", "np.argmin gives a place; clips[place] is the answer"),
    ),
    Question(
        "3.9",
        "The best clipping point by theory",
        "For the Laplace density with the parameter `b`, the best clipping point is `t * b` with "
        "`t + log(t) = log(3 * levels**2)`. Return it, to four digits.",
        laplace_clip,
        ((1.0, 4), (1.0, 16), (0.3, 256), (2.0, 8)),
        "c / b solves t + log(t) = log(3 * levels**2)",
        "clipping",
        (
            Mistake(
                "returns t; the clipping point is t * b",
                lambda b, levels: laplace_clip(1.0, levels),
            ),
            Mistake(
                "leaves out log(t)",
                lambda b, levels: float(b * np.log(3 * levels**2)),
            ),
            Mistake(
                "takes the number of integers where its square belongs",
                lambda b, levels: laplace_clip(b, levels**0.5),
            ),
        ),
        (
            "begin with t = log(3 * levels**2), and repeat t = log(3 * levels**2) - log(t)",
            "fifty repetitions are plenty",
        ),
    ),
)
