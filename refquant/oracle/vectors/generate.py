"""The operations that have test vectors, and the cases of each."""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.ops import registered
from refquant.oracle.problems.table import operations
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.elements import element_cases
from refquant.oracle.vectors.neutral import NEUTRAL, neutral_cases
from refquant.oracle.vectors.products import convolution_cases, linear_cases

__all__ = ["NEUTRAL_OPERATIONS", "OPERATIONS", "cases_of"]

# Those of the oracle that have cases: products, and whatever says what its operands are.
OPERATIONS = tuple(
    name
    for name in operations()
    if name.startswith("conv")
    or name in ("linear", "linear_relu")
    or (name in registered.OPERATIONS and registered.OPERATIONS[name].operands)
)
# Those that have cases of neutral operands.
NEUTRAL_OPERATIONS = tuple(NEUTRAL)


def cases_of(operation: Any, seed: int = 0, *, neutral: bool = False) -> tuple[Case, ...]:
    """Make the cases of an operation.

    Parameters
    ----------
    operation : str
        One of `OPERATIONS`, or of `NEUTRAL_OPERATIONS`.
    seed : int, default 0
        Seed of the random operands.
    neutral : bool, default False
        Whether to make cases of `Codes` and `Output`, as runtimes of int8 models take them: int8
        activations, int32 bias, scales of float32, channels last.

    Returns
    -------
    tuple of Case

    Raises
    ------
    ArgumentError
        If the operation has no vectors.

    Examples
    --------
    >>> from refquant import oracle
    >>> case = oracle.cases_of("linear")[0]
    >>> case.name, case.arguments["input"].shape
    ('ties-0.5-z100', refquant.Size([9, 33]))
    """
    neutral = arguments.flag("neutral", neutral)
    known = NEUTRAL_OPERATIONS if neutral else OPERATIONS
    if not isinstance(operation, str) or operation not in known:
        hint = arguments.did_you_mean(operation, known)
        if not neutral and operation in NEUTRAL_OPERATIONS:
            hint = f"{operation} has neutral vectors: neutral=True, --neutral on the command line"
        raise ArgumentError(
            argument="operation",
            expected=f"one of {', '.join(known)}",
            got=arguments.describe(operation),
            hint=hint,
        )
    seed = arguments.integer("seed", seed, 0)
    if neutral:
        return tuple(neutral_cases(operation, seed))
    if operation.startswith("linear"):
        return tuple(linear_cases(operation, seed))
    if operation.startswith("conv"):
        return tuple(convolution_cases(operation, seed))
    return tuple(element_cases(operation, seed))
