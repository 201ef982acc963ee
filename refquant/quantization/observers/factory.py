"""Factories: a class with some arguments of its constructor chosen."""

from typing import Any

__all__ = ["Factory"]


class Factory:
    """A class with some arguments of its constructor chosen; every call makes a new instance.

    `ObserverBase.with_args` makes one. Two factories are equal if they make the same.

    Parameters
    ----------
    made : type
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

    __slots__ = ("keywords", "made")

    def __init__(self, made: type, keywords: dict[str, Any]):
        self.made, self.keywords = made, keywords

    def __call__(self, *arguments, **keywords):
        """Make an instance; `keywords` replace those that were chosen."""
        return self.made(*arguments, **{**self.keywords, **keywords})

    def with_args(self, **keywords) -> "Factory":
        """Choose more arguments, or others."""
        return Factory(self.made, {**self.keywords, **keywords})

    def __eq__(self, other) -> bool:
        if not isinstance(other, Factory):
            return NotImplemented
        return self.made is other.made and self.keywords == other.keywords

    def __hash__(self) -> int:
        return hash((self.made, frozenset(self.keywords)))

    def __repr__(self) -> str:
        chosen = ", ".join(
            f"{name}={value.__name__ if isinstance(value, type) else repr(value)}"
            for name, value in self.keywords.items()
        )
        return f"{self.made.__name__}.with_args({chosen})"
