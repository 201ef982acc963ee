"""Graphics processors: there are none, so that programs that ask for them go on without."""

from refquant._paths import no_attribute as _no_attribute

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "manual_seed",
    "manual_seed_all",
    "synchronize",
]

# A package without files, so that importing what lies below it tells why that is not here.
__path__: list[str] = []


def __getattr__(name: str):
    raise _no_attribute(__name__, name)


def is_available() -> bool:
    """Return False.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> "cuda" if refquant.cuda.is_available() else "cpu"
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
    >>> refquant.cuda.device_count()
    0
    """
    return 0


def synchronize(device: object = None) -> None:
    """Do nothing: every operation is complete when it returns.

    Parameters
    ----------
    device : object
        Not used.

    Examples
    --------
    >>> import refquant
    >>> refquant.cuda.synchronize()
    """


def empty_cache() -> None:
    """Do nothing: there is no cache.

    Examples
    --------
    >>> import refquant
    >>> refquant.cuda.empty_cache()
    """


def manual_seed(seed: int) -> None:
    """Do nothing: there is no generator of a graphics processor.

    Parameters
    ----------
    seed : int
        Not used.

    Examples
    --------
    >>> import refquant
    >>> refquant.cuda.manual_seed(0)
    """


def manual_seed_all(seed: int) -> None:
    """Do nothing, as `manual_seed`.

    Parameters
    ----------
    seed : int
        Not used.

    Examples
    --------
    >>> import refquant
    >>> refquant.cuda.manual_seed_all(0)
    """
