"""Factories: a class with some arguments of its constructor chosen."""

from collections.abc import Mapping
from typing import Any

from refquant import engines

__all__ = ["Factory"]


def _text(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


class Factory:
    """A class with some arguments of its constructor chosen; every call creates an instance.

    `ObserverBase.with_args` returns one. Two factories are equal if class and arguments
    are under the engine that is chosen.

    Parameters
    ----------
    cls : type
        The class.
    keywords : dict
        Arguments for its constructor.
    computed : dict, optional
        Functions without arguments, called for the value of an argument at each creation.
    releases : dict of str to dict, optional
        Arguments for all of `keywords` under the engines of a release.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MinMaxObserver
    >>> MinMaxObserver.with_args(dtype=refquant.qint8).with_args(reduce_range=True)
    MinMaxObserver.with_args(dtype=refquant.qint8, reduce_range=True)
    """

    __slots__ = ("cls", "computed", "keywords", "releases")

    def __init__(
        self,
        cls: type,
        keywords: dict[str, Any],
        computed: dict[str, Any] | None = None,
        releases: dict[str, dict[str, Any]] | None = None,
    ):
        self.cls, self.keywords = cls, keywords
        self.computed, self.releases = computed or {}, releases or {}

    def __call__(self, *arguments, **keywords):
        """Create an instance; `keywords` override those that were chosen."""
        return self.cls(*arguments, **self._given(keywords))

    def _given(self, keywords: Mapping[str, Any]) -> dict[str, Any]:
        """Return all arguments by name of a call with these."""
        computed = {name: f() for name, f in self.computed.items() if name not in keywords}
        return {**self._chosen(), **computed, **keywords}

    def _chosen(self) -> dict[str, Any]:
        """Return the arguments under the engine that is chosen."""
        if not self.releases:
            return self.keywords
        return self.releases.get(engines.current().workflow.release, self.keywords)

    @property
    def p(self) -> "Factory":
        """The factory itself, which has `func` and `keywords` like a ``functools.partial``."""
        return self

    @property
    def func(self) -> type:
        """The class."""
        return self.cls

    def with_args(self, **keywords) -> "Factory":
        """Choose more arguments, or others."""
        releases = {name: {**chosen, **keywords} for name, chosen in self.releases.items()}
        return Factory(self.cls, {**self.keywords, **keywords}, self.computed, releases)

    def with_callable_args(self, **functions) -> "Factory":
        """Choose functions that are called for arguments whenever an instance is created."""
        computed = {**self.computed, **functions}
        return Factory(self.cls, self.keywords, computed, self.releases)

    def _key(self) -> tuple:
        return self.cls, self._chosen(), self.computed

    def __eq__(self, other) -> bool:
        if not isinstance(other, Factory):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self.cls)

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={_text(value)}" for name, value in self._chosen().items())
        made = ", ".join(f"{name}={_text(value)}" for name, value in self.computed.items())
        called = f".with_callable_args({made})" if made else ""
        return f"{self.cls.__name__}.with_args({chosen}){called}"
