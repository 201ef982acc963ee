"""Processors beside the CPU: there are none, so that programs that ask for one go on without."""

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Return False.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> accelerator = refquant.accelerator
    >>> accelerator.current_accelerator().type if accelerator.is_available() else "cpu"
    'cpu'
    """
    return False


def device_count() -> int:
    """Return 0.

    Returns
    -------
    int

    Examples
    --------
    >>> import refquant
    >>> refquant.accelerator.device_count()
    0
    """
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """Return None.

    Parameters
    ----------
    check_available : bool, default False
        Not used.

    Examples
    --------
    >>> import refquant
    >>> refquant.accelerator.current_accelerator()
    """
