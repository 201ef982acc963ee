"""Rules that stand at a place of a form, so that they can be changed again."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from refquant.engines.arithmetic.compose import OWN, UNHELD, Form
from refquant.engines.arithmetic.multipliers import Staged

__all__ = ["Placed"]


@dataclass(frozen=True)
class Placed:
    """The function of a rule that stands at a place of a form.

    Attributes
    ----------
    form : Form
        How it follows from axes.
    axes : Arithmetic
        Its place.
    own : callable, optional
        What computes results that int32 cannot hold, in place of the axes.
    """

    form: Form
    axes: Any
    own: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Compute the form at its place."""
        if self.own is None:
            return self.form.function(self.axes, *arguments)
        marked = SimpleNamespace(**{**asdict(self.axes), "overflow": OWN})
        found = self.form.function(marked, *arguments)
        unheld = np.asarray(found) == UNHELD
        if not unheld.any():
            return found
        plain = (v.quotient() if isinstance(v, Staged) else v for v in arguments)
        return np.where(unheld, self.own(*plain), found)
