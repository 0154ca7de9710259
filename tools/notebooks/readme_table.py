"""The README's table of chapters, each with its button for Colab."""

import re

from tools.toc import ROOT, contents, labels, repository

BEGIN, END = "<!-- make notebooks writes this table -->", "<!-- end of the table -->"
COLAB = "https://colab.research.google.com"


def updated(root=ROOT):
    """The text of README.md with the table as _toc.yml and _config.yml have it now."""
    text = (root / "README.md").read_text(encoding="utf-8")
    if not (parts := re.fullmatch(f"(.*{BEGIN}\n).*({END}\n.*)", text, re.S)):
        raise ValueError(f"README.md has no place for the table of chapters: the lines {BEGIN} and {END}")
    return parts[1] + table(root) + parts[2]


def table(root=ROOT):
    rows = [f"| {number} | [{labels(root)[page][0]}]({page}.ipynb) | [![Open in Colab]({COLAB}/assets/colab-badge.svg)]"
            f"({colab(page, root)}) |" for number, page in contents(root) if number]
    return "\n".join(["| | Chapter | |", "|--:|---|---|", *rows]) + "\n"


def colab(page, root=ROOT):
    """The address that opens a chapter's notebook in Colab."""
    settings = repository(root)
    owner = settings["url"].removesuffix(".git").rstrip("/").split("/", 3)[3]
    return f"{COLAB}/github/{owner}/blob/{settings['branch']}/{page}.ipynb"
