"""Optional packages: each belongs to an extra of the installation."""

from importlib import import_module
from types import ModuleType

from refquant.errors import MissingExtraError

__all__ = ["require_extra"]


def require_extra(module: str, *, package: str, extra: str, op: str | None = None) -> ModuleType:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        What to import, such as ``'sklearn.datasets'``.
    package : str
        Name of the package to install, such as ``'scikit-learn'``.
    extra : str
        The extra of refquant that installs it.
    op : str, optional
        The feature that needs it, if that is not the operation that was called.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If the package is not installed. Failures inside an installed package pass unchanged.

    Examples
    --------
    >>> from refquant.extras import require_extra
    >>> require_extra("math", package="python", extra="demo").floor(2.5)
    2
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            op=op,
            expected=f"the package {package}",
            got="an environment without it",
            hint=f"install it with: pip install 'refquant[{extra}]'",
        ) from error
