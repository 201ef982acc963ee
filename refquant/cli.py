"""The command line: ``refquant COMMAND``, or ``python -m refquant COMMAND``.

A command is one row of `COMMANDS`: its name, a summary, the declaration of its arguments and the
module that runs it, which is imported only then. Exit codes: 0 success, 1 failure (one line on
standard error says why), 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, NoReturn

import refquant
from refquant.arguments import did_you_mean
from refquant.errors import RefquantError

__all__ = ["COMMANDS", "Command", "main"]


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    name : str
        The word to type.
    summary : str
        One line for the list of commands.
    declare : callable
        Takes the parser of the command and adds its arguments.
    module : str
        Module whose ``run(options)`` does the work; it may return an exit code.
    """

    name: str
    summary: str
    declare: Callable[[Any], None]
    module: str


def _whole_number(text: str) -> int:
    """Read a seed: a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _add_seed(parser: argparse.ArgumentParser, meaning: str) -> None:
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_whole_number,
        default=0,
        help=f"{meaning} (default: %(default)s)",
    )


def _declare_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train a small network on the handwritten digits of scikit-learn, quantize it in three "
        "ways, compare the four, and write a report with pictures and the quantized weights."
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="demo-report",
        help="folder of the report, made if needed (default: %(default)s)",
    )
    _add_seed(parser, "decides the split of the images and the training")
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=_whole_number,
        default=15,
        help="passes over the training images (default: %(default)s)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print the tables only, and no progress"
    )
    parser.add_argument(
        "--bits",
        action="store_true",
        help="instead, quantize to weights of fewer and fewer bits, after training and in "
        "training, and print a table of accuracies; writes nothing",
    )


def _declare_config(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print versions, processor, kernels, threads and engine, as refquant.show_config() does."
    )


def _declare_vectors(parser: "_Parser") -> None:
    parser.description = (
        "Write test vectors of an operation: operands that hit ties, ends of ranges, borders and "
        "odd sizes, with the answers of an engine, and a table of what they cover."
    )
    parser.details = "refquant.oracle.vectors_command"
    parser.add_argument("operation", metavar="OP", help="such as linear, conv2d, add")
    parser.add_argument("--engine", metavar="E", default="fbgemm", help="default: %(default)s")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to make")
    _add_seed(parser, "of the random integers")
    parser.add_argument(
        "--format", metavar="F", default="npz", help="of the arrays (default: %(default)s)"
    )
    parser.add_argument(
        "--neutral",
        action="store_true",
        help="operands of runtimes of int8 models: int8 activations, int32 bias, channels last",
    )
    parser.add_argument("--force", action="store_true", help="replace vectors that are there")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _declare_check(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Grade a backend's answers to test vectors. Exit code 0 if all elements are equal, 1 if "
        "some differ or a file is not as it should be."
    )
    parser.add_argument("vectors", metavar="DIR", help="as `refquant vectors` made it")
    parser.add_argument(
        "--results",
        metavar="R",
        required=True,
        help="folder with the integers for each case, such as CASE.npz with an array `output`",
    )
    parser.add_argument(
        "--show",
        metavar="CASE",
        help="also print how the engine computes the first element of a case that differs",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--quiet", action="store_true", help="print nothing if all are equal, show no progress"
    )


def _declare_judge(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Run a model in a runtime or on a device, and find the first layer that departs from an "
        "engine, and its rule. Exit code 0 if no layer departs, 1 if one does."
    )
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .onnx file")
    parser.add_argument(
        "--backend",
        metavar="B",
        default="litert",
        help="litert, litert-optimized, litert-reference, tflite-micro, onnxruntime, "
        "onnxruntime-unfused, openvino, or a command that reads and writes raw files "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--engine", metavar="E", help="one or several, with commas (default: the backend's own)"
    )
    parser.add_argument("--inputs", metavar="FILE", help=".npz file with an array for each input")
    parser.add_argument(
        "--report", metavar="FILE", help="also write a page with the error of each layer"
    )
    parser.add_argument(
        "--reproducer",
        metavar="DIR",
        help="also write the operands and a model of the layer that departs",
    )
    parser.add_argument(
        "--time-limit",
        metavar="S",
        type=float,
        default=60.0,
        help="seconds for a command (default: %(default)s)",
    )


COMMANDS = (
    Command(
        "demo",
        "quantize a real network and show what happened",
        _declare_demo,
        "refquant.demo.command",
    ),
    Command(
        "vectors",
        "write test vectors for a backend of your own",
        _declare_vectors,
        "refquant.oracle.vectors_command",
    ),
    Command(
        "check",
        "grade a backend's answers to test vectors",
        _declare_check,
        "refquant.oracle.check_command",
    ),
    Command(
        "judge",
        "find the first layer of a model that departs on a device",
        _declare_judge,
        "refquant.oracle.judge_command",
    ),
    Command("config", "print what refquant runs on", _declare_config, "refquant._show_config"),
)


class _Parser(argparse.ArgumentParser):
    options: ClassVar[list[str]] = []
    details = ""  # a module whose text `details()` ends the help; imported only then

    def format_help(self) -> str:
        """Format the help, with what a module tells at its end."""
        told = import_module(self.details).details() if self.details else ""
        return super().format_help() + told

    def add_argument(self, *names, **keywords) -> argparse.Action:
        """Add an argument, and remember the names of its option."""
        self.options.extend(name for name in names if name.startswith("--"))
        return super().add_argument(*names, **keywords)

    def error(self, message: str) -> NoReturn:
        """End with a message, and the command or option that was probably meant."""
        wrong = re.search(r"invalid choice: '(\w+)'|unrecognized arguments: (--[\w-]+)", message)
        names = [*(command.name for command in COMMANDS), *self.options]
        hint = did_you_mean(wrong[1] or wrong[2], names) if wrong else None
        super().error(f"{message}; {hint}" if hint else message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="refquant",
        description="The executable definition of PyTorch's eager-mode quantization.",
        epilog="'refquant COMMAND --help' explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"refquant {refquant.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.summary)
        command.declare(subparser)
        subparser.set_defaults(module=command.module)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``refquant``; ``sys.argv`` by default.

    Returns
    -------
    int
        The exit code. Wrong usage raises SystemExit with code 2, as argparse does.
    """
    options = _parser().parse_args(arguments)
    try:
        return import_module(options.module).run(options) or 0
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Python would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (RefquantError, OSError) as error:
        print(f"refquant {options.command}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"refquant {options.command}: interrupted", file=sys.stderr)
        return 130
