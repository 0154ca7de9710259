"""The README's table of chapters, each with its button for Colab."""

import re

from tools.toc import ROOT, contents, labels, repository

BEGIN, END = "<!-- make notebooks writes this table -->", "<!-- end of the table -->"
COLAB = "https://colab.research.google.com"


def updated(root=ROOT):
    """The text of README.md with the table as _toc.yml and _config.yml have it now.

    Raises ``ValueError`` if README.md lacks the lines between which the table stands.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    parts = re.fullmatch(f"(.*{BEGIN}\n).*({END}\n.*)", text, re.S)
    if not parts:
        raise ValueError(
            f"README.md has no place for the table of chapters: the lines {BEGIN} and {END}"
        )
    return parts[1] + table(root) + parts[2]


def table(root=ROOT):
    """The table in Markdown: number, title and button of each chapter."""
    lines = ["| | Chapter | |", "|--:|---|---|"]
    for number, page in contents(root):
        if number:
            badge = f"![Open in Colab]({COLAB}/assets/colab-badge.svg)"
            title = labels(root)[page][0]
            lines.append(
                f"| {number} | [{title}]({page}.ipynb) | [{badge}]({colab_address(page, root)}) |"
            )
    return "\n".join(lines) + "\n"


def colab_address(page, root=ROOT):
    """The address that opens a chapter's notebook in Colab."""
    settings = repository(root)
    name = settings["url"].removesuffix(".git").rstrip("/").split("/", 3)[3]  # owner/repository
    return f"{COLAB}/github/{name}/blob/{settings['branch']}/{page}.ipynb"
