"""Containers of modules that run one after the other and are quantized as one.

`refquant.quantization.fuse_modules` makes them. They compute what their members compute; that
they are a type of their own is what lets ``prepare_qat`` and ``convert`` replace them as a whole.
"""

import inspect

from refquant._documentation import expanded
from refquant.errors import ArgumentError
from refquant.nn.activation import LeakyReLU, ReLU, Tanh
from refquant.nn.containers import Sequential
from refquant.nn.convolution import Conv1d, Conv2d, Conv3d
from refquant.nn.linear import Linear
from refquant.nn.module import Module
from refquant.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d

__all__ = [
    "BNReLU2d",
    "BNReLU3d",
    "ConvBn1d",
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
    "Fused",
    "LinearBn1d",
    "LinearLeakyReLU",
    "LinearReLU",
    "LinearTanh",
]

# Parameter of the constructors and example, by the type of the member.
_NAMES = {
    Conv1d: ("conv", "nn.Conv1d(3, 2, 1)"),
    Conv2d: ("conv", "nn.Conv2d(3, 2, 1)"),
    Conv3d: ("conv", "nn.Conv3d(3, 2, 1)"),
    Linear: ("linear", "nn.Linear(3, 2)"),
    BatchNorm1d: ("bn", "nn.BatchNorm1d(2)"),
    BatchNorm2d: ("bn", "nn.BatchNorm2d(2)"),
    BatchNorm3d: ("bn", "nn.BatchNorm3d(2)"),
    ReLU: ("relu", "nn.ReLU()"),
    LeakyReLU: ("leaky_relu", "nn.LeakyReLU()"),
    Tanh: ("tanh", "nn.Tanh()"),
}
_CONTAINER = """
Parameters
----------
{parameters}

Raises
------
ArgumentError
    If a module is not of exactly that type.

Examples
--------
>>> from refquant import nn
>>> fused = nn.intrinsic.{name}({example})
>>> [type(module).__name__ for module in fused]
{members}
"""


class Fused(Sequential):
    """Base class of the containers: members of exactly the types that the subclass lists."""

    members: tuple[type[Module], ...] = ()
    __signature__: inspect.Signature
    _of_members: inspect.Signature  # subclasses may take more than members

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        names = [_NAMES[kind][0] for kind in cls.members]
        if names[0] == "bn":
            names[0] = "batch_norm"
        by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD
        cls._of_members = inspect.Signature([inspect.Parameter(n, by_name) for n in names])
        cls.__signature__ = cls._of_members
        kinds = [kind.__name__ for kind in cls.members]
        text = _CONTAINER.format(
            parameters="\n".join(f"{n} : {kind}" for n, kind in zip(names, kinds, strict=True)),
            name=cls.__name__,
            example=", ".join(_NAMES[kind][1] for kind in cls.members),
            members=kinds,
        )
        if cls.__doc__ is not None:  # python -OO removes docstrings
            cls.__doc__ = expanded(cls.__doc__, {"container": text})

    def __init__(self, *modules: Module, **named: Module) -> None:
        modules = self._of_members.bind(*modules, **named).args
        if tuple(type(module) for module in modules) != self.members:
            raise ArgumentError(
                argument="modules",
                expected=" then ".join(kind.__name__ for kind in self.members),
                got=" then ".join(type(module).__name__ for module in modules),
                hint="pass modules of exactly these types, in this order",
            )
        super().__init__(*modules)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        """Compare with a state; one of the other release has the observers elsewhere.

        PyTorch 2.13 observes the whole, 1.4 every member, where only the last is used.
        """
        super()._load_from_state_dict(report, prefix)
        name = "activation_post_process."
        inside = [f"{prefix}{place}.{name}" for place in range(len(self.members))]
        of_whole = {k: v for k, v in report.state.items() if k.startswith(prefix + name)}
        of_members = {k: v for k, v in report.state.items() if k.startswith(tuple(inside))}
        if of_members and name[:-1] in self._modules:
            report.used.update(of_members)
            last = {k: v for k, v in of_members.items() if k.startswith(inside[-1])}
            moved = {prefix + name + k.removeprefix(inside[-1]): v for k, v in last.items()}
        elif of_whole and any(name[:-1] in self._modules[str(p)]._modules for p in range(2)):
            report.used.update(of_whole)
            parts = [(k.removeprefix(prefix + name), v) for k, v in of_whole.items()]
            moved = {place + k: v for place in inside for k, v in parts}
        else:
            return
        report.state = {**report.state, **moved}


class ConvReLU1d(Fused):
    """A `Conv1d` and the `ReLU` of its output.

    %(container)s
    """

    members = (Conv1d, ReLU)


class ConvReLU2d(Fused):
    """A `Conv2d` and the `ReLU` of its output.

    %(container)s
    """

    members = (Conv2d, ReLU)


class ConvReLU3d(Fused):
    """A `Conv3d` and the `ReLU` of its output.

    %(container)s
    """

    members = (Conv3d, ReLU)


class LinearReLU(Fused):
    """A `Linear` and the `ReLU` of its output.

    %(container)s
    """

    members = (Linear, ReLU)


class LinearLeakyReLU(Fused):
    """A `Linear` and the `LeakyReLU` of its output.

    %(container)s
    """

    members = (Linear, LeakyReLU)


class LinearTanh(Fused):
    """A `Linear` and the `Tanh` of its output.

    %(container)s
    """

    members = (Linear, Tanh)


class LinearBn1d(Fused):
    """A `Linear` and the `BatchNorm1d` of its output, for training.

    %(container)s
    """

    members = (Linear, BatchNorm1d)


class ConvBn1d(Fused):
    """A `Conv1d` and the `BatchNorm1d` of its output, for training.

    %(container)s
    """

    members = (Conv1d, BatchNorm1d)


class ConvBn2d(Fused):
    """A `Conv2d` and the `BatchNorm2d` of its output, for training.

    %(container)s
    """

    members = (Conv2d, BatchNorm2d)


class ConvBn3d(Fused):
    """A `Conv3d` and the `BatchNorm3d` of its output, for training.

    %(container)s
    """

    members = (Conv3d, BatchNorm3d)


class ConvBnReLU1d(Fused):
    """A `Conv1d`, the `BatchNorm1d` of its output and the `ReLU` of that, for training.

    %(container)s
    """

    members = (Conv1d, BatchNorm1d, ReLU)


class ConvBnReLU2d(Fused):
    """A `Conv2d`, the `BatchNorm2d` of its output and the `ReLU` of that, for training.

    %(container)s
    """

    members = (Conv2d, BatchNorm2d, ReLU)


class ConvBnReLU3d(Fused):
    """A `Conv3d`, the `BatchNorm3d` of its output and the `ReLU` of that, for training.

    %(container)s
    """

    members = (Conv3d, BatchNorm3d, ReLU)


class BNReLU2d(Fused):
    """A `BatchNorm2d` and the `ReLU` of its output.

    %(container)s
    """

    members = (BatchNorm2d, ReLU)


class BNReLU3d(Fused):
    """A `BatchNorm3d` and the `ReLU` of its output.

    %(container)s
    """

    members = (BatchNorm3d, ReLU)
