"""The command line: usage, exit codes, one line for every failure."""

import subprocess
import sys

import pytest

import refquant
from refquant import cli
from refquant.errors import ArgumentError


def reject(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"refquant {refquant.__version__}\n"


def test_no_command_is_wrong_usage(capsys):
    assert "COMMAND" in reject(capsys)


def test_an_unknown_command_lists_the_known_ones(capsys):
    message = reject(capsys, "dmeo")
    assert all(command.name in message for command in cli.COMMANDS)


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", ""])
def test_a_seed_is_a_whole_number(capsys, seed):
    assert "whole number" in reject(capsys, "demo", f"--seed={seed}")


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown and command.summary in shown for command in cli.COMMANDS)


def test_config_prints_what_show_config_prints(capsys):
    assert cli.main(["config"]) == 0
    printed = capsys.readouterr().out
    refquant.show_config()
    assert printed == capsys.readouterr().out


def test_python_dash_m():
    done = subprocess.run(
        [sys.executable, "-m", "refquant", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"refquant {refquant.__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ArgumentError("choosing", hint="choose"), 1, "refquant config: error: choosing; choose\n"),
        (PermissionError(13, "no", "/x"), 1, "refquant config: error: [Errno 13] no: '/x'\n"),
        (KeyboardInterrupt(), 130, "refquant config: interrupted\n"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(monkeypatch, capsys, error, code, message):
    def fail(options):
        raise error

    monkeypatch.setattr("refquant._show_config.run", fail)
    assert cli.main(["config"]) == code
    assert capsys.readouterr().err == message


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    def fail(options):
        raise ZeroDivisionError

    monkeypatch.setattr("refquant._show_config.run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["config"])


def test_a_reader_that_goes_away_is_no_traceback():
    script = (
        "import sys, os, signal\n"
        "from refquant import _show_config, cli\n"
        "def talk(options):\n"
        "    os.close(reader)\n"
        "    print('x' * 100000, flush=True)\n"
        "_show_config.run = talk\n"
        "reader, writer = os.pipe()\n"
        "os.dup2(writer, sys.stdout.fileno())\n"
        "sys.exit(cli.main(['config']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_importing_the_command_line_imports_no_command():
    script = (
        "import sys, refquant.cli\n"
        "heavy = {'matplotlib', 'sklearn', 'refquant.demo', 'refquant.nn'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
