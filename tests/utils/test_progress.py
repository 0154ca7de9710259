"""Progress bars are drawn on a terminal and in a notebook, and leave nothing in a log."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from lossbook.utils.progress import progress_bar
for _ in progress_bar(range(3), desc="rows"):
    pass
with progress_bar(total=2, desc="epochs", show="hide" not in sys.argv) as bar:
    bar.set_postfix(loss=1)
    bar.update()
"""


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], **options)


def terminal_output(*arguments):
    """What the program writes to a terminal of its own."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")  # not on Windows
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    program = start(*arguments, stderr=theirs)
    os.close(theirs)
    output = b""
    try:
        while chunk := os.read(ours, 4096):
            output += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    assert program.wait() == 0
    return output.decode()


def test_a_log_holds_nothing_of_a_bar():
    program = start(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.communicate() == (b"", b"")
    assert program.returncode == 0


def test_a_terminal_shows_every_bar():
    output = terminal_output()
    assert "rows" in output and "3/3" in output and "epochs" in output


def test_a_bar_can_be_hidden():
    output = terminal_output("hide")
    assert "rows" in output and "epochs" not in output


def test_a_notebook_shows_a_bar():
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(PROGRAM)])
    NotebookClient(notebook, timeout=120).execute()
    assert "rows" in str(notebook.cells[0].outputs)
