"""Solutions of exercises in a notebook: there, and executed, but not in the reader's eye.

In the book a solution is folded. A notebook has no such thing for code. What stands between
``{solution-start}`` and ``{solution-end}`` becomes a folded piece of Markdown for every piece of
prose, and code cells whose source Jupyter and Colab hide until the reader opens them.
"""

import re

from nbformat.v4 import new_markdown_cell

GATE = re.compile(r"^```\{solution-(start|end)\} *(\S*)\n(?::.*\n)*```$", re.M)


def out_of_sight(cells, lower):
    """The cells with their Markdown lowered by ``lower`` and every solution hidden; a part of a cell is a cell."""
    label = title = None
    for cell in cells:
        if cell.cell_type == "code":
            yield hidden(cell, title) if label else cell
            continue
        parts = GATE.split(cell.source)
        for gate, name, text in zip(["", *parts[1::3]], ["", *parts[2::3]], parts[::3]):
            if gate and (gate == "start") == bool(label):
                raise lower.error(f"{{solution-{gate}}} {name}", f"comes while the solution of {label or 'nothing'} is open")
            if gate:
                label = name
                title = lower.solution(label) if label else None
            if plain := lower(text):
                yield new_markdown_cell(lower.folded(title, plain) if label else plain, metadata=cell.metadata)
    if label:
        raise lower.error(f"{{solution-start}} {label}", "is never ended")


def hidden(cell, title):
    """The code cell with its source hidden: by Colab behind a title, by JupyterLab behind three dots."""
    cell.source = f"#@title {title}\n{cell.source}"
    cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    return cell
