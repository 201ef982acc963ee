"""The switch for deterministic algorithms, which programs set: results never depend on it."""

from refquant import arguments
from refquant.ops.rows import row

_chosen = {"mode": False, "warn_only": False}


@row(
    "refquant",
    mode="What `are_deterministic_algorithms_enabled` returns from now on.",
    warn_only="What `is_deterministic_algorithms_warn_only_enabled` returns from now on.",
)
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for algorithms that give the same bits every time; all of refquant's do.

    Returns
    -------
    None

    >>> refquant.use_deterministic_algorithms(True)
    >>> refquant.are_deterministic_algorithms_enabled()
    True
    >>> refquant.use_deterministic_algorithms(False)
    """
    checked = arguments.instance("mode", mode, bool, "True or False")
    _chosen.update(mode=checked, warn_only=arguments.flag("warn_only", warn_only))


@row("refquant")
def are_deterministic_algorithms_enabled() -> bool:
    """Return what `use_deterministic_algorithms` was told.

    Returns
    -------
    bool

    >>> refquant.are_deterministic_algorithms_enabled()
    False
    """
    return _chosen["mode"]


@row("refquant")
def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether `use_deterministic_algorithms` was told to warn only.

    Returns
    -------
    bool

    >>> refquant.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return _chosen["warn_only"]
