"""Named questions about operands, which the records of engines share."""

from refquant.dtypes import qint8, qint32, quint8
from refquant.engines.rule import Condition, Operands

IS_QINT32 = Condition("dtype is qint32", lambda operands: operands.dtype is qint32)
IS_QUINT8 = Condition("dtype is quint8", lambda operands: operands.dtype is quint8)
HAS_NO_BIAS = Condition("there is no bias", lambda operands: not operands.bias)
HAS_EQUAL_BIASES = Condition(
    "one scale of the weight, the same bias for all outputs",
    lambda operands: operands.equal_biases and not operands.per_channel,
)
HAS_WIDE_SUMS = Condition("sums of 64 bits", lambda operands: operands.wide_sums)
OF_ACTIVATIONS = Condition("of two activations", lambda operands: operands.activations)
OF_UNSIGNED = Condition("of uint8 activations", lambda operands: operands.unsigned)
IS_PER_CHANNEL = Condition("weights per channel", lambda operands: operands.per_channel)
SAME_SHAPE_QUINT8 = Condition(
    "quint8 of the same shape", lambda operands: operands.dtype is quint8 and operands.same_shape
)
IS_NUMBER = Condition("the first operand has one element", lambda operands: operands.number)
IS_CONVOLUTION = Condition("a convolution", lambda operands: operands.convolution is not None)
IS_DEPTHWISE = Condition(
    "a depthwise convolution",
    lambda operands: (
        operands.convolution is not None
        and (operands.convolution.separate or operands.convolution.depthwise)
    ),
)
IN_PACKS_OF_8 = Condition(
    "a depthwise convolution of a multiple of 8 channels",
    lambda operands: (
        operands.convolution is not None
        and operands.convolution.depthwise
        and operands.convolution.groups % 8 == 0
    ),
)
IS_TRANSPOSED = Condition(
    "a transposed convolution",
    lambda operands: operands.convolution is not None and operands.convolution.transposed,
)
HAS_8_OUTPUTS = Condition(
    "a convolution of a multiple of 8 outputs",
    lambda operands: operands.convolution is not None and operands.convolution.outputs % 8 == 0,
)
KEEPS_IMAGE = Condition(
    "over height and width of an image, whose dimensions stay", lambda operands: operands.spatial
)
TRAILING = Condition("trailing dimensions, row-major", lambda operands: operands.trailing)
IMAGE_QUINT8 = Condition(
    "height and width of a quint8 image",
    lambda operands: operands.dtype is quint8 and operands.spatial,
)
WIDE_CHANNELS_LAST = Condition(
    "channels-last and qint32", lambda operands: operands.channels_last and operands.dtype is qint32
)
IS_CHANNELS_LAST = Condition("channels-last", lambda operands: operands.channels_last)
QNNPACK_WINDOW = Condition(
    "quint8 image without ceil_mode",
    lambda operands: operands.dtype is quint8 and not operands.rounded_up and not operands.volume,
)
QNNPACK_DIVIDED = Condition(
    "quint8 to a size that divides its own",
    lambda operands: operands.dtype is quint8 and operands.divides,
)

# -- the kernels of oneDNN -------------------------------------------------------------------------

# More groups than these are left to FBGEMM by the engine `x86`.
MOST_GROUPS = 100


def both(first: Condition, second: Condition) -> Condition:
    """Combine two conditions into one that holds where both do."""
    return Condition(
        f"{first.name}, {second.name}",
        lambda operands: first.holds(operands) and second.holds(operands),
    )


def _taken_by_onednn(operands: Operands) -> bool:
    of = operands.convolution
    return of is not None and of.groups <= MOST_GROUPS and of.symmetric and not of.output_padding


def _dilated_depthwise(operands: Operands) -> bool:
    of = operands.convolution
    return (
        of is not None
        and not of.transposed
        and len(of.stride) == 3
        and of.depthwise
        and max(of.dilation) > 1
    )


def _left_to_reference(operands: Operands) -> bool:
    """Whether no compiled kernel of oneDNN takes a transposed convolution."""
    of = operands.convolution
    if of is None or not of.transposed:
        return False
    strided, dilated = max(of.stride) > 1, max(of.dilation) > 1
    if strided and not dilated and of.divisible:
        return False
    both_along_an_axis = any(s > 1 and d > 1 for s, d in zip(of.stride, of.dilation, strict=True))
    # What is cut off reaches beyond the filters, so the border of the convolution is negative.
    reaches = zip(of.padding, of.dilation, of.kernel, strict=False)  # without a kernel, none
    cut = any(p > d * (k - 1) for p, d, k in reaches)
    odd_groups = of.groups > 1 and not of.depthwise and (of.inputs % 4 or of.outputs % 4)
    return bool(
        both_along_an_axis
        or cut
        or (len(of.stride) == 3 and of.depthwise)
        or (strided and odd_groups)
    )


def _of_27_taps(operands: Operands) -> bool:
    of = operands.convolution
    return of is not None and of.depthwise and of.kernel == (3, 3, 3)


DEPTHWISE_OF_27_TAPS = Condition("depthwise filters of 3 x 3 x 3", _of_27_taps)
IS_CONVOLUTION = Condition("a convolution", lambda operands: operands.convolution is not None)
TAKEN_BY_ONEDNN = Condition(
    f"a convolution of at most {MOST_GROUPS} groups, zero points of the weight 0, no output "
    "padding",
    _taken_by_onednn,
)
DILATED_DEPTHWISE = Condition("depthwise conv3d with dilation", _dilated_depthwise)
LEFT_TO_REFERENCE = Condition(
    "a transposed convolution without a compiled kernel", _left_to_reference
)
IS_QINT8 = Condition("qint8 activations", lambda operands: operands.dtype is qint8)
