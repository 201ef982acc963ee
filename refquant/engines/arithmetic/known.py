"""Engines by their names: where one stands on the axes, and the one that stands at a place."""

from refquant import arguments
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.change import changed, place_of
from refquant.engines.record import Engine
from refquant.engines.registry import built_in, get
from refquant.errors import EngineError

__all__ = ["arithmetic_of", "engine_of"]


def arithmetic_of(engine: str, per_channel: bool = False) -> Arithmetic:
    """Return where an engine stands on the axes, for linear layers and convolutions.

    Parameters
    ----------
    engine : str
        One of PyTorch's engines or of the other runtimes.
    per_channel : bool, default False
        Whether the weight has a scale for each output; FBGEMM adds the bias differently then.

    Returns
    -------
    Arithmetic

    Raises
    ------
    EngineError
        If the engine is one of your own, of which only the rules are known.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.arithmetic_of("fbgemm").differences(oracle.arithmetic_of("qnnpack"))
    {'formed_by': ('division', 'product'), 'bias': ('fused', 'int32_product')}
    """
    per_channel = arguments.flag("per_channel", per_channel)
    if not isinstance(engine, str) or engine not in built_in():
        raise EngineError(
            f"oracle.arithmetic_of: {arguments.describe(engine)} has no known place on the axes",
            expected=f"one of {', '.join(built_in())}",
            hint=arguments.did_you_mean(engine, built_in())
            or "write it down as oracle.Arithmetic(...) for oracle.engine_of()",
        )
    return place_of(get(engine), per_channel)


def engine_of(
    arithmetic: Arithmetic, name: str = "composed", base: str | Engine = "fbgemm"
) -> Engine:
    """Make an engine that differs from another one as choices on the axes do.

    Parameters
    ----------
    arithmetic : Arithmetic
        The choices.
    name : str
        Of the new record; give it to `refquant.engines.register` to choose it by name.
    base : str or Engine
        Where to start. What the choices do not change is computed as by this engine, in every
        operation: at the engine's own place the new record has the engine's bits.

    Returns
    -------
    Engine
        Definitions run while it is chosen if kernels do not know its rules.

    Raises
    ------
    ArgumentTypeError
        If `arithmetic` is no Arithmetic.
    EngineError
        If there is no such base.

    Examples
    --------
    >>> from refquant import oracle
    >>> ours = oracle.arithmetic_of("qnnpack")
    >>> oracle.engine_of(ours.change(rounding="half_up"), "mine", "qnnpack").name
    'mine'
    """
    arguments.instance("arithmetic", arithmetic, Arithmetic, "an oracle.Arithmetic")
    start = base if isinstance(base, Engine) else get(base)
    differences = place_of(start).differences(arithmetic)
    return changed(start, {axis: new for axis, (_, new) in differences.items()}, name)
