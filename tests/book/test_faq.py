"""Export and compilation, which only the page of questions shows, run as they stand there."""

import jupytext

from tools import toc


def code_of(heading):
    """The page's first cell, and those below the heading, as one program."""
    cells = jupytext.read(toc.ROOT / "book/faq.md").cells
    code, section = [], "first"
    for cell in cells:
        if cell.cell_type == "markdown":
            titles = [line for line in cell.source.splitlines() if line.startswith("## ")]
            section = titles[-1] if titles else section
        elif not code or heading in section:
            code.append(cell.source)
    return code


def test_a_network_is_exported_and_its_training_compiled():
    first, export, compiled = code_of("How do I export a trained network")
    names = {}
    for source in (first, export, compiled):
        exec(source, names)  # its asserts compare both with the network itself
    assert "import torch" in first
    assert names["predict"] is not names["network"] and names["gradient"].abs().sum() > 0
