"""Named questions about operands, which the records of engines share."""

from refquant.dtypes import qint32, quint8
from refquant.engines.rule import Condition

IS_QINT32 = Condition("dtype is qint32", lambda operands: operands.dtype is qint32)
IS_QUINT8 = Condition("dtype is quint8", lambda operands: operands.dtype is quint8)
HAS_NO_BIAS = Condition("there is no bias", lambda operands: not operands.bias)
IS_PER_CHANNEL = Condition("weights per channel", lambda operands: operands.per_channel)
SAME_SHAPE_QUINT8 = Condition(
    "quint8 of the same shape", lambda operands: operands.dtype is quint8 and operands.same_shape
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
    "quint8 without ceil_mode",
    lambda operands: operands.dtype is quint8 and not operands.rounded_up,
)
QNNPACK_DIVIDED = Condition(
    "quint8 to a size that divides its own",
    lambda operands: operands.dtype is quint8 and operands.divides,
)
