r"""Arithmetic as a choice on every axis: what may differ between two sound int8 backends.

An `Engine` names a rule for each step; an `Arithmetic` says in a word for each axis how such rules
are made: which way to round, where the zero point is added, how precise the multiplier is, ...
Every combination can be computed, and `refquant.engines.arithmetic.known` makes an engine of it.
Known engines are points in this space.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from refquant import arguments
from refquant.engines.rules.rounding import ROUNDINGS
from refquant.errors import ArgumentError

__all__ = ["AXES", "Arithmetic", "Axis"]


@dataclass(frozen=True)
class Axis:
    """One question that backends answer differently.

    Attributes
    ----------
    name : str
        The field of `Arithmetic`.
    question : str
        What is decided.
    values : mapping of str to str
        The possible answers, each with its formula.

    Examples
    --------
    >>> from refquant import oracle
    >>> sorted(oracle.AXES)[0]
    'accumulator'
    >>> oracle.Axis("order", "Which product is added first?", {"first": "the first one"}).name
    'order'
    """

    name: str
    question: str
    values: Mapping[str, str]


def _axis(name: str, question: str, **values: str) -> Axis:
    return Axis(name, question, MappingProxyType(values))


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        axis.name: axis
        for axis in (
            _axis("rounding", "Which integer is taken?", **ROUNDINGS),
            _axis(
                "zero_point",
                "When is the zero point added?",
                after="round(t) + z",
                before="round(t + z), the sum rounded to the precision of t",
                fused="round(fma(total, m, z)), product and sum rounded once",
            ),
            _axis(
                "precision",
                "In which numbers are scales combined?",
                float32="scales rounded to float32, each operation rounded to float32",
                float64="scales and operations in float64",
                float16="scales rounded to float16, each operation rounded to float16",
                exact="rational numbers",
            ),
            _axis(
                "multiplier",
                "In which numbers is the multiplier formed before operations take it?",
                same="those of operations",
                float32="float32",
                float64="float64",
                float16="float16, scales too",
                float16_scales="those of operations, of scales that were rounded to float16",
            ),
            _axis(
                "formed_by",
                "How does the scale of the output enter the multiplier?",
                division="s_x * s_w / s_y",
                product="s_x * s_w * (1 / s_y)",
                staged="not at all: total * (s_x * s_w), a real number, is divided by s_y",
            ),
            _axis(
                "scaling",
                "How is the sum multiplied?",
                number="total * m in the precision of the multiplier",
                q31_double="m = q * 2**(shift - 31): total * q rounded to its upper 32 bits, ties "
                "up, then shifted and rounded again",
                q31_single="m = q * 2**(shift - 31): total * q shifted and rounded once",
                q31_merged="as q31_double; operands of a sum are shifted by 20 + shift bits first",
            ),
            _axis(
                "width",
                "How many bits has the multiplier?",
                full="those of its numbers: 24 of float32, 53 of float64, 31 in fixed point",
                bits_21="q * 2**e, q of 21 bits, ties away from zero",
                bits_15="q * 2**e, q of 15 bits, ties away from zero",
                bits_8="q * 2**e, q of 8 bits, ties away from zero",
                power_of_two="2**rne(log2(m)): a shift alone",
            ),
            _axis(
                "bias",
                "How is the bias added to the sum?",
                fused="fma(b, f32(1 / aw), f32(acc)), aw = f32(s_x * s_w)",
                divided="f32(f32(acc) + f32(b / aw))",
                int32_product="acc + rne(f32(b * f32(1 / f32(s_x * s_w))))",
                int32_division="acc + rne(f32(b / f32(s_x * s_w)))",
                int32_half_away="acc + round_half_away(b / (s_x * s_w)) in float64",
                exact="acc + b / (s_x * s_w)",
            ),
            _axis(
                "accumulator",
                "How are the products summed?",
                wrapped="in int32, which wraps on overflow",
                exact="without limit",
                saturated_pairs="pairs of neighbors in int16, which saturates, then in int32",
                wrapped_int16="in int16, which wraps on overflow",
                offsets_in_int8="with x - z_x in int8, which wraps, then in int32",
                float32="in float32, one product after the other",
                float16="in float16, one product after the other, limited to 65504 on both sides",
            ),
            _axis(
                "order",
                "How are products of dequantized numbers added in float32?",
                runs="fma, in runs whose length follows from the shape, as MLAS does on x86",
                runs_of_128="fma, in runs of 128 products, as MLAS multiplies a transposed matrix",
                ascending="fma, one after the other",
                unfused="products are rounded, then added one after the other",
                pairwise="products are rounded; halves are added, of halves, ...",
                lanes_8="fma in 8 lanes, whose sums are added one after the other",
            ),
            _axis(
                "border",
                "What stands outside an image?",
                zero_point="the zero point of the input",
                zero="the integer 0",
            ),
            _axis(
                "clamp",
                "When is the result limited to its range?",
                after="after rounding",
                before="before rounding",
            ),
            _axis(
                "overflow",
                "What becomes of a product beyond int32?",
                indefinite="-2**31, as x86 converts it: the lowest output, even if positive",
                saturated="the nearest end of the range",
            ),
            _axis(
                "places",
                "In which numbers are places between pixels, of a bilinear image?",
                bits_10="places and shares in integers of 10 bits",
                bits_11="places in float32, shares rounded to 11 bits",
                float32="places and shares in float32",
            ),
        )
    }
)


@dataclass(frozen=True)
class Arithmetic:
    """A choice on every axis.

    Attributes
    ----------
    rounding, zero_point, precision, multiplier, formed_by, scaling, width : str
    bias, accumulator, order, border, clamp, overflow, places : str
        One of the values that `AXES` lists for the axis of that name.

    Raises
    ------
    ArgumentError
        If a value is none of those.

    Examples
    --------
    >>> from refquant import oracle
    >>> ours = oracle.arithmetic_of("fbgemm")
    >>> theirs = ours.change(rounding="half_away")
    >>> ours.differences(theirs)
    {'rounding': ('half_even', 'half_away')}
    >>> oracle.engine_of(theirs).rule("requantize_sum").formula
    'half_away(f32(f32(total) * m)) + z, clipped; beyond int32: lowest'
    """

    rounding: str = "half_even"
    zero_point: str = "after"
    precision: str = "float32"
    multiplier: str = "same"
    formed_by: str = "division"
    scaling: str = "number"
    width: str = "full"
    bias: str = "fused"
    accumulator: str = "wrapped"
    order: str = "runs"
    border: str = "zero_point"
    clamp: str = "after"
    overflow: str = "indefinite"
    places: str = "bits_10"

    def __post_init__(self) -> None:
        for name, axis in AXES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in axis.values:
                raise ArgumentError(
                    argument=name,
                    expected=f"one of {', '.join(axis.values)}",
                    got=arguments.describe(value),
                    hint=arguments.did_you_mean(value, axis.values),
                )

    def change(self, **axes: str) -> "Arithmetic":
        """Choose otherwise on some axes.

        Parameters
        ----------
        **axes : str
            The new values by the names of their axes.

        Returns
        -------
        Arithmetic
        """
        unknown = set(axes) - set(AXES)
        if unknown:
            raise ArgumentError(
                argument=", ".join(sorted(unknown)), expected=f"axes among {', '.join(AXES)}"
            )
        return replace(self, **axes)

    def differences(self, other: "Arithmetic") -> dict[str, tuple[str, str]]:
        """Find the axes on which two choices differ: ``{axis: (ours, theirs)}``."""
        arguments.instance("other", other, Arithmetic, "an Arithmetic")
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
