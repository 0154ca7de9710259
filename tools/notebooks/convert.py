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

from tools.notebooks import readme_table as readme
from tools.notebooks import setup_cell
from tools.toc import ROOT, chapters
from tools.notebooks.myst_to_markdown import Lowering
from tools.notebooks.hide_solutions import out_of_sight


def convert(page, root=ROOT):
    """The text of a chapter's .ipynb."""
    text = (root / f"{page}.md").read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst")
    notebook.cells, seen = list(out_of_sight(notebook.cells, Lowering(page, root))), Counter()
    for cell in notebook.cells:
        seen[cell.cell_type, cell.source] += 1
        cell.id = identity(f"{cell.cell_type} {seen[cell.cell_type, cell.source]} {cell.source}")
    first = next((i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"), len(notebook.cells))
    setup = setup_cell.source(page, root)
    notebook.cells.insert(first, nbformat.v4.new_code_cell(setup, id=identity(setup), metadata={"cellView": "form"}))
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def identity(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main():
    wanted = {ROOT / f"{page}.ipynb": page for page in chapters()}
    for path in set(ROOT.glob("notebooks/*.ipynb")) - set(wanted):
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}: it has no chapter in _toc.yml")
    for path, page in wanted.items():
        try:
            write(path, convert(page))
        except ValueError as error:
            sys.exit(f"{path.relative_to(ROOT)} was not written: {error}")
    write(ROOT / "README.md", readme.updated())


def write(path, text):
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
