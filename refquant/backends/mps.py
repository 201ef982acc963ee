"""Apple's graphics processors: there are none here, so that programs that ask go on without."""

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """Return False.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> "mps" if refquant.backends.mps.is_available() else "cpu"
    'cpu'
    """
    return False


def is_built() -> bool:
    """Return False.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.backends.mps.is_built()
    False
    """
    return False
