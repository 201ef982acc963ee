"""Optional packages: each belongs to an extra of the installation."""

from importlib import import_module
from types import ModuleType

from refquant.errors import MissingExtraError

__all__ = ["require_extra"]


def require_extra(module: str, *, package: str, extra: str, asked: str) -> ModuleType:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        What to import, such as ``'sklearn.datasets'``.
    package : str
        Name of the package to install, such as ``'scikit-learn'``.
    extra : str
        The extra of refquant that installs it.
    asked : str
        The feature that needs it, for the message.

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
    >>> require_extra("math", package="python", extra="demo", asked="an example").floor(2.5)
    2
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            asked,
            expected=f"the package {package}",
            got="an environment without it",
            mend=f"install it with: pip install 'refquant[{extra}]'",
        ) from error
