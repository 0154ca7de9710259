"""Put the PDF of the book, and archives of handouts and slides, beside the built book:
``python -m tools.exports.downloads`` (or ``make downloads``, which makes all of them first)."""

import sys

from tools.book import downloads
from tools.book.build import HTML
from tools.exports.handouts import HANDOUTS
from tools.exports.slides import SLIDES
from tools.toc import ROOT, chapters

__all__ = ["main"]


def main():
    names = [page.rpartition("/")[2] for page in chapters()]
    pdfs = [HANDOUTS / f"{name}.pdf" for name in names]
    decks = [SLIDES / f"{name}.html" for name in names]
    book = HANDOUTS / "lossbook.pdf"
    needed = [HTML / downloads.PAGE, book, *pdfs, *decks]
    if missing := [str(path.relative_to(ROOT)) for path in needed if not path.exists()]:
        sys.exit(f"{', '.join(missing)} not there: run make downloads, which makes all of them")
    print(downloads.add_book(HTML, book).relative_to(ROOT))
    shown = [path for path in SLIDES.rglob("*") if path.is_file()]
    for kind, files, folder in (("handouts", pdfs, HANDOUTS), ("slides", shown, SLIDES)):
        contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        print(downloads.add(HTML, kind, contents).relative_to(ROOT))


if __name__ == "__main__":
    main()
