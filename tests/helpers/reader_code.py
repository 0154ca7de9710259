"""What a machine can find in code that readers see: lines that a page cuts off, names that name
nothing, and NaN where a table has no number."""

import ast
import re

WIDTH = 78  # columns of a cell on a page 1280 pixels wide
PLACEHOLDERS = {"found", "own", "one", "about", "asked", "said", "wanted"}
MAGIC = re.compile(r"^[ \t]*[%!].*", re.M)
NAN = re.compile(
    r"<td[^>]*>(?:\s|<[^/]\w*>)*nan(?=\s*<)"  # on a page
    r"|\|[ `*]*nan[ `*]*(?=\|)",  # in Markdown
    re.I,
)


def wide_lines(source):
    """The lines of more than ``WIDTH`` columns."""
    return [line for line in source.splitlines() if len(line) > WIDTH]


def placeholders(source):
    """Variables, parameters and functions named by one of PLACEHOLDERS, which name no thing."""
    names = []
    for node in ast.walk(ast.parse(MAGIC.sub("", source))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.FunctionDef):
            name = node.name
        else:
            continue
        if name in PLACEHOLDERS:
            names.append((node.lineno, name))
    return [f"{name}, line {line}" for line, name in sorted(names)]


def nan_cells(text):
    """Cells of tables that hold NaN and nothing else, in Markdown or HTML."""
    return NAN.findall(text)
