"""Factories: a class with some arguments of its constructor chosen."""

from typing import Any

__all__ = ["Factory"]


class Factory:
    """A class with some arguments of its constructor chosen; every call creates an instance.

    `ObserverBase.with_args` returns one. Two factories are equal if class and arguments are.

    Parameters
    ----------
    cls : type
        The class.
    keywords : dict
        Arguments for its constructor.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MinMaxObserver
    >>> MinMaxObserver.with_args(dtype=refquant.qint8).with_args(reduce_range=True)
    MinMaxObserver.with_args(dtype=refquant.qint8, reduce_range=True)
    """

    __slots__ = ("cls", "keywords")

    def __init__(self, cls: type, keywords: dict[str, Any]):
        self.cls, self.keywords = cls, keywords

    def __call__(self, *arguments, **keywords):
        """Create an instance; `keywords` override those that were chosen."""
        return self.cls(*arguments, **{**self.keywords, **keywords})

    def with_args(self, **keywords) -> "Factory":
        """Choose more arguments, or others."""
        return Factory(self.cls, {**self.keywords, **keywords})

    def __eq__(self, other) -> bool:
        if not isinstance(other, Factory):
            return NotImplemented
        return self.cls is other.cls and self.keywords == other.keywords

    def __hash__(self) -> int:
        return hash((self.cls, frozenset(self.keywords)))

    def __repr__(self) -> str:
        chosen = ", ".join(
            f"{name}={value.__name__ if isinstance(value, type) else repr(value)}"
            for name, value in self.keywords.items()
        )
        return f"{self.cls.__name__}.with_args({chosen})"
