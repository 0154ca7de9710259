"""Write each chapter's notebook: ``python -m tools.notebooks.convert`` (or ``make notebooks``).

notebooks/NN_slug.md is the source; notebooks/NN_slug.ipynb is what Colab, GitHub and Jupyter
open. It depends on the sources alone, byte for byte: MyST lowered to plain Markdown, no outputs,
solutions out of sight, and cell ids made of the cells' content. The README's table of chapters is
written here too.
"""

import hashlib
import sys
from collections import Counter

import jupytext
import nbformat

from tools.notebooks import readme_table, setup_cell
from tools.notebooks.hide_solutions import lower_cells
from tools.notebooks.myst_to_markdown import Lowering
from tools.toc import ROOT, chapters


def main():
    pages = {ROOT / f"{page}.ipynb": page for page in chapters()}
    for path in set(ROOT.glob("notebooks/*.ipynb")) - set(pages):
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}: it has no chapter in _toc.yml")
    for path, page in pages.items():
        try:
            write(path, convert(page))
        except ValueError as error:
            sys.exit(f"{path.relative_to(ROOT)} was not written: {error}")
    write(ROOT / "README.md", readme_table.updated())


def convert(page, root=ROOT):
    """The text of a chapter's .ipynb."""
    text = (root / f"{page}.md").read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst")
    notebook.cells = list(lower_cells(notebook.cells, Lowering(page, root)))
    set_ids(notebook.cells)
    insert_setup(notebook.cells, setup_cell.source(page, root))
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def set_ids(cells):
    """Give each cell an id made of its content, and of how many times that came before."""
    count = Counter()
    for cell in cells:
        count[cell.cell_type, cell.source] += 1
        cell.id = digest(f"{cell.cell_type} {count[cell.cell_type, cell.source]} {cell.source}")


def insert_setup(cells, source):
    """Put the set-up cell before the first code cell, folded in Colab and in Jupyter."""
    position = 0
    while position < len(cells) and cells[position].cell_type != "code":
        position += 1
    metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
    setup = nbformat.v4.new_code_cell(source, id=digest(source), metadata=metadata)
    cells.insert(position, setup)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(path, text):
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
