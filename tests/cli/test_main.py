"""What all commands share: help, exit statuses and the encoding of the console."""

import os
import subprocess
import sys

import pytest

from lossbook import data, heads
from lossbook.cli import results
from lossbook.cli.main import main


def run_lossbook(*arguments, **environment):
    """The output of ``python -m lossbook``, as bytes."""
    return subprocess.run(
        [sys.executable, "-m", "lossbook", *arguments],
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    ).stdout


def help_of(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_lists_the_commands_and_first_steps():
    output = run_lossbook("--help").decode()
    for command in ("train", "evaluate", "animate", "reproduce", "map", "bounds", "assign"):
        assert f"\n    {command}" in output
    assert "lossbook train ArcFace_v1" in output


@pytest.mark.parametrize("command", ["train", "evaluate", "animate"])
def test_the_help_of_a_command_lists_the_losses(command, capsys):
    output = help_of(capsys, command)
    assert "--seed" in output and "NAME" in output
    words = output.replace(",", " ").split()
    assert set(heads.preset_names()) <= set(words)


@pytest.mark.parametrize(
    "command",
    ["reproduce", "map", "bounds", "assign", "verify", "strangers", "noise", "benchmark"],
)
def test_every_command_has_help(command, capsys):
    assert f"usage: lossbook {command}" in help_of(capsys, command)


@pytest.mark.parametrize("kind", ["heads", "training"])
def test_every_benchmark_has_help(kind, capsys):
    assert "--rounds" in help_of(capsys, "benchmark", kind)


def test_a_console_without_the_signs_gets_question_marks():
    output = run_lossbook("bounds", "--classes", "3", PYTHONIOENCODING="cp1252").decode("cp1252")
    assert "?1/(C ? 1) = -0.50" in output


@pytest.mark.parametrize(
    "error, status",
    [
        (ValueError("wrong"), 2),
        (OSError("wrong"), 2),
        (ModuleNotFoundError("wrong"), 2),
        (data.DataError("wrong"), 2),
        (results.Disagreement("wrong"), 1),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_status(error, status, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setattr(results, "state_bounds", fail)
    assert main(["bounds"]) == status
    assert capsys.readouterr().err == "lossbook: wrong\n"


def test_a_mistake_in_the_library_is_not_hidden(monkeypatch):
    def fail(options):
        raise AttributeError("a bug")

    monkeypatch.setattr(results, "state_bounds", fail)
    with pytest.raises(AttributeError):
        main(["bounds"])
