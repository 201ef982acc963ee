"""What was found of a model, layer by layer: as text, as a page, and as a reproducer."""

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments
from refquant.atomic import replace_bytes
from refquant.errors import ArgumentError
from refquant.oracle.graphs.graph import Graph, Node
from refquant.reporting.page import Page
from refquant.reporting.tables import Table

__all__ = ["Judgment", "LayerVerdict"]

_HEADER = ("layer", "operation", "elements", "differing", "largest", "rule", "legal")


@dataclass(frozen=True)
class LayerVerdict:
    """One layer of a model, computed of what the backend itself gave it.

    Attributes
    ----------
    name : str
        Of its result.
    operation : str
        As neutral problems name it.
    place : str
        Where it stands in the file.
    elements, differing : int
        Of the result, and how many are not those of the engine.
    largest : float
        The largest difference, in steps of the result.
    engine : str
        The engine with which it was compared.
    rule : str
        What explains the difference, or how the backend computes several layers as one; empty if
        there is nothing to tell.
    legal : int
        How many of the differing elements a sound implementation may give, too.
    shown : bool
        Whether the backend has shown the result; without that nothing is compared.
    total_differing, total_largest : int, float
        The same where all layers are computed by the engines, from the inputs of the model on.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.LayerVerdict("y", "add", "node 0, Add", 8, 0, 0.0, "onnx").departs
    False
    """

    name: str
    operation: str
    place: str
    elements: int
    differing: int
    largest: float
    engine: str
    rule: str = ""
    legal: int = 0
    shown: bool = True
    total_differing: int = 0
    total_largest: float = 0.0

    @property
    def departs(self) -> bool:
        """Whether an element differs."""
        return self.differing > 0

    def row(self) -> tuple[str, ...]:
        """Return the line of a table."""
        if not self.shown:
            return (self.name, self.operation, f"{self.elements:,}", "not shown", "", "", "")
        legal = "" if not self.differing else f"{self.legal:,} of {self.differing:,}"
        return (
            self.name, self.operation, f"{self.elements:,}", f"{self.differing:,}",
            f"{self.largest:g}", self.rule or self.engine, legal,
        )  # fmt: skip


@dataclass(frozen=True)
class Judgment:
    """The layers of a model in a backend; see `judge`.

    Attributes
    ----------
    model, backend : str
        What was judged.
    layers : tuple of LayerVerdict
        In the order of the model.
    notes : tuple of str
        What else is to be known, such as fusions that were broken.
    reproducer : dict
        The operands of the first layer that departs, and the backend's answer, by name.

    Examples
    --------
    >>> from refquant import oracle
    >>> layer = oracle.LayerVerdict("y", "add", "node 0, Add", 8, 1, 1.0, "onnx", "half up", 1)
    >>> oracle.Judgment("m.onnx", "device", (layer,)).first.rule
    'half up'
    """

    model: str
    backend: str
    layers: tuple[LayerVerdict, ...]
    notes: tuple[str, ...] = ()
    reproducer: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def first(self) -> LayerVerdict | None:
        """The first layer that departs; None if all are as the engines say."""
        return next((layer for layer in self.layers if layer.departs), None)

    def table(self) -> Table:
        """Return the table of all layers.

        Returns
        -------
        Table
        """
        title = f"{self.model} in {self.backend}"
        return Table(title, _HEADER, [layer.row() for layer in self.layers], " ".join(self.notes))

    def verdict(self) -> str:
        """Say which layer departs first, and by which rule.

        Returns
        -------
        str
        """
        first = self.first
        if first is None:
            return (
                f"all {sum(layer.shown for layer in self.layers)} layers that are shown are equal"
            )
        return (
            f"the first layer that departs is {first.name!r} ({first.place}): "
            f"{first.differing:,} of {first.elements:,} elements, by up to {first.largest:g}: "
            f"{first.rule}"
        )

    def __str__(self) -> str:
        return f"{self.table().text()}\n{self.verdict()}"

    def _repr_html_(self) -> str:
        return self.page().html()

    def page(self) -> Page:
        """Return a page with the error of each layer, alone and from the inputs on.

        Returns
        -------
        refquant.reporting.Page
        """
        page = Page(f"{self.model} in {self.backend}")
        page.paragraph(f"{self.verdict()[0].upper()}{self.verdict()[1:]}.")
        page.table(self.table())
        rows = [
            (
                layer.name, f"{layer.differing:,}", f"{layer.largest:g}",
                f"{layer.total_differing:,}", f"{layer.total_largest:g}",
            )
            for layer in self.layers if layer.shown
        ]  # fmt: skip
        header = ("layer", "alone", "largest", "from the inputs on", "largest")
        page.table(
            Table(
                "Elements that differ", header, rows,
                "Alone, a layer takes what the backend gave it; from the inputs on, all layers "
                "before it are the engine's.",
            )
        )  # fmt: skip
        return page

    def write(self, path: str | os.PathLike) -> Path:
        """Write the page as one HTML file, completely or not at all.

        Returns
        -------
        pathlib.Path
            The file.
        """
        return self.page().write(path)

    def write_reproducer(self, folder: str | os.PathLike) -> list[Path]:
        """Write the first layer that departs: its arrays, and a model of it alone.

        Parameters
        ----------
        folder : path
            Is made if it is not there. ``NAME.npz`` holds the operands and ``output``, the answer
            of the backend; ``NAME.onnx`` or ``NAME.tflite`` is the layer with fed operands.

        Returns
        -------
        list of pathlib.Path
            The files.

        Raises
        ------
        ArgumentError
            If no layer departs.
        """
        target = arguments.path("folder", folder)
        if not self.reproducer:
            raise ArgumentError(
                argument="folder", expected="a judgment with a layer that departs", got="none"
            )
        target.mkdir(parents=True, exist_ok=True)
        stem, written = "first-departing-layer", []
        arrays, content = self.reproducer["arrays"], self.reproducer["content"]
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        for ending, data in (("npz", packed.getvalue()), (self.reproducer["files"], content)):
            if data is not None:
                path = target / f"{stem}.{ending}"
                replace_bytes(path, data)
                written.append(path)
        return written


def sub_graph(graph: Graph, node: Node) -> Graph:
    """Return a graph of one node."""
    names = dict.fromkeys((*node.names(), node.output))
    values = [graph.values[name] for name in names]
    fed = [v.name for v in values if v.data is None and v.name != node.output]
    return Graph(values, [node], fed, [node.output])
