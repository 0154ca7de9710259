"""Archives beside the built pages, and the list of them on the front page.

The notebooks are packed with every build. Handouts and slides take longer to make:
``make downloads`` adds them (:mod:`tools.exports.downloads`). The list names what is there.
"""

import re
import zipfile

from tools.toc import ROOT, chapters

__all__ = ["ARCHIVES", "add", "notebooks"]

ARCHIVES = {
    "notebooks": "All chapters as notebooks, without outputs",
    "handouts": "All chapters as PDF, with their solutions",
    "slides": "A deck of slides for each chapter; it opens in a browser and needs no network",
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
    """Pack ``files``, bytes by name, as one of ``ARCHIVES`` of the book in ``html``, and list it.

    The same files make the same archive, byte for byte.
    """
    name = f"lossbook-{kind}"
    path = html / "downloads" / f"{name}.zip"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}/{file}")
            entry.external_attr = 0o644 << 16  # readable once it is unpacked
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    list_archives(html)
    return path


def list_archives(html):
    """Let the front page name the archives that are there."""
    items = []
    for kind, words in ARCHIVES.items():
        path = html / f"downloads/lossbook-{kind}.zip"
        if path.exists():
            size = f"{path.stat().st_size / 1e6:.1f} MB"
            items.append(f'<li><a href="../downloads/{path.name}">{words}</a> ({size})</li>')
    page = html / PAGE
    text, count = LIST.subn(rf"\1{''.join(items)}\2", page.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f'{PAGE} has {count} lists <ul class="downloads">; expected one')
    page.write_text(text, encoding="utf-8")
