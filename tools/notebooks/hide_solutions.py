"""Hide the solutions of exercises in a notebook: they are there, and executed, but folded.

In the book a solution is folded. A notebook cannot fold code and prose together. What stands
between ``{solution-start}`` and ``{solution-end}`` becomes a folded piece of Markdown for every
piece of prose, and code cells whose source Jupyter and Colab hide until the reader opens them.

The caption of a figure that a cell draws is in the cell's metadata, which Jupyter and Colab do
not show: it becomes a cell of its own below.
"""

import re

from nbformat.v4 import new_markdown_cell

GATE = re.compile(r"^```\{solution-(start|end)\} *(\S*)\n(?::.*\n)*```$", re.M)


def lower_cells(cells, lower):
    """Yield the cells with every solution hidden and their Markdown lowered by ``lower``.

    A Markdown cell is cut in two wherever a solution starts or ends. Raises ``ValueError`` if a
    solution starts inside another, or ends without a start, or never ends.
    """
    label = None
    for cell in cells:
        if cell.cell_type == "code":
            yield hide_source(cell, lower.solution(label)) if label else cell
            if drawn := cell.metadata.get("mystnb", {}).get("figure"):
                yield new_markdown_cell(lower.caption(drawn["name"], drawn["caption"]))
            continue
        texts = GATE.split(cell.source)  # text, gate, label, text, gate, label, text, …
        gates = ["", *texts[1::3]]
        gate_labels = ["", *texts[2::3]]
        for gate, gate_label, text in zip(gates, gate_labels, texts[::3]):
            if gate:
                check_gate(gate, gate_label, label, lower)
                label = gate_label
            if plain := lower(text):
                if label:
                    plain = lower.folded(lower.solution(label), plain)
                yield new_markdown_cell(plain, metadata=cell.metadata)
    if label:
        raise lower.error(f"{{solution-start}} {label}", "is never ended")


def check_gate(gate, gate_label, open_label, lower):
    """Refuse a start while a solution is open, an end while none is, and an unknown label."""
    if (gate == "start") == bool(open_label):
        raise lower.error(
            f"{{solution-{gate}}} {gate_label}",
            f"comes while the solution of {open_label or 'nothing'} is open",
        )
    if gate == "start":
        lower.solution(gate_label)


def hide_source(cell, title):
    """The code cell with its source hidden: behind a title in Colab, behind dots in JupyterLab."""
    cell.source = f"#@title {title}\n{cell.source}"
    cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    return cell
