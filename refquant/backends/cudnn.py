"""Switches of cuDNN, which programs set; they have no effect."""

__all__ = ["benchmark", "deterministic", "enabled", "is_available"]

enabled = True
benchmark = False
deterministic = False


def is_available() -> bool:
    """Return False.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.backends.cudnn.deterministic = True
    >>> refquant.backends.cudnn.is_available()
    False
    """
    return False
