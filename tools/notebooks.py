"""Write each chapter's notebook: ``python -m tools.notebooks`` (or ``make notebooks``).

notebooks/NN_slug.md is the source; notebooks/NN_slug.ipynb is what Colab, GitHub and Jupyter
open. It depends on the sources alone, byte for byte: MyST lowered to plain Markdown, no outputs,
solutions out of sight, and cell ids made of the cells' content.
"""

import hashlib
import sys
from collections import Counter

import jupytext
import nbformat
import yaml

from tools.contents import ROOT, chapters
from tools.lowering import Lowering
from tools.solutions import out_of_sight

INSTALL = """#@title Set-up: installs lossbook where it is missing
import importlib.util
if importlib.util.find_spec("lossbook") is None:
    %pip install --quiet git+{url}@{branch}"""


def convert(page, root=ROOT):
    """The text of a chapter's .ipynb."""
    notebook = jupytext.read(root / f"{page}.md", fmt="md:myst")
    notebook.cells, seen = list(out_of_sight(notebook.cells, Lowering(page, root))), Counter()
    for cell in notebook.cells:
        seen[cell.cell_type, cell.source] += 1
        identity = f"{cell.cell_type} {seen[cell.cell_type, cell.source]} {cell.source}"
        cell.id = hashlib.sha256(identity.encode()).hexdigest()[:12]
    first = next((i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"), len(notebook.cells))
    notebook.cells.insert(first, install_cell(root))
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def install_cell(root=ROOT):
    """The cell that makes a notebook run where lossbook is missing, as on Colab; elsewhere it does nothing."""
    repository = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    source = INSTALL.format(**repository)
    return nbformat.v4.new_code_cell(source, id=hashlib.sha256(source.encode()).hexdigest()[:12],
                                     metadata={"cellView": "form"})


def main():
    wanted = {ROOT / f"{page}.ipynb": page for page in chapters()}
    for path in set(ROOT.glob("notebooks/*.ipynb")) - set(wanted):
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}: it has no chapter in _toc.yml")
    for path, page in wanted.items():
        try:
            text = convert(page)
        except ValueError as error:
            sys.exit(f"{path.relative_to(ROOT)} was not written: {error}")
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
