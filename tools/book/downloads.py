"""The PDF of the book and archives beside the built pages, and the list of them on the front page.

The notebooks are packed with every build. The PDF, handouts and slides take longer to make:
``make downloads`` adds them (:mod:`tools.exports.downloads`). The list names what is there.
"""

import re
import shutil
import zipfile

from tools.toc import ROOT, chapters

__all__ = ["FILES", "add", "add_book", "notebooks"]

FILES = {
    "lossbook.pdf": "The whole book as one PDF, with its solutions",
    "lossbook-notebooks.zip": "All chapters as notebooks, without outputs",
    "lossbook-handouts.zip": "All chapters as PDF, with their solutions",
    "lossbook-slides.zip": (
        "A deck of slides for each chapter; it opens in a browser and needs no network"
    ),
}
PAGE = "book/index.html"
LIST = re.compile(r'(<ul class="downloads">).*?(</ul>)', re.S)
BOOK_PAGE = re.compile(r"\]\(\.\./(book/[\w/]+)\.md\)")
README = """# From softmax to ArcFace: the notebooks

One notebook for each chapter, without outputs. Open one in Jupyter, or upload it to Colab. Its
first cell installs lossbook where it is missing; no other download is needed.

The book, with every figure: {address}

Code: MIT (LICENSE). Text and figures: CC BY 4.0 (LICENSE-TEXT.md).
"""


def notebooks(address, root=ROOT):
    """The files of the archive of notebooks, their content by name.

    A link to a page that is no notebook leads to the book at ``address``.
    """
    files = {"README.md": README.format(address=address).encode()}
    for name in ("LICENSE", "LICENSE-TEXT.md"):
        files[name] = (root / name).read_bytes()
    for page in chapters(root):
        text = (root / f"{page}.ipynb").read_text(encoding="utf-8")
        text = BOOK_PAGE.sub(rf"]({address}\1.html)", text)
        files[f"{page.rpartition('/')[2]}.ipynb"] = text.encode()
    return files


def add(html, kind, files):
    """Pack ``files``, bytes by name, as an archive of the book in ``html``, and list it.

    The same files make the same archive, byte for byte.
    """
    name = f"lossbook-{kind}"
    path = place(html, f"{name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}/{file}")
            entry.external_attr = 0o644 << 16  # readable once it is unpacked
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    list_files(html)
    return path


def add_book(html, pdf):
    """Put the ``pdf`` of the whole book beside the book in ``html``, and list it."""
    path = place(html, "lossbook.pdf")
    shutil.copyfile(pdf, path)
    list_files(html)
    return path


def place(html, name):
    """Where to write one of ``FILES``."""
    path = html / "downloads" / name
    path.parent.mkdir(exist_ok=True)
    return path


def list_files(html):
    """Let the front page name the files that are there."""
    items = []
    for name, words in FILES.items():
        path = html / "downloads" / name
        if path.exists():
            size = f"{path.stat().st_size / 1e6:.1f} MB"
            items.append(f'<li><a href="../downloads/{path.name}">{words}</a> ({size})</li>')
    page = html / PAGE
    text, count = LIST.subn(rf"\1{''.join(items)}\2", page.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f'{PAGE} has {count} lists <ul class="downloads">; expected one')
    page.write_text(text, encoding="utf-8")
