"""Print each chapter: ``python -m tools.exports.handouts`` (or ``make handouts``) writes
_build/handouts/NN_slug.pdf.

The built page as Chromium prints it, with the print rules of book/_static/book.css: code and
figures included, solutions folded, a page number at the foot.
"""

import sys

from tools.book.build import BUILD, HTML
from tools.exports import browser
from tools.toc import ROOT, chapters

HANDOUTS = BUILD / "handouts"
FOOT = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center">'
    '<span class="title"></span> · <span class="pageNumber"></span> / '
    '<span class="totalPages"></span></div>'
)
PAPER = {
    "format": "A4",
    "margin": {"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": FOOT,
}


def main():
    if missing := [page for page in chapters() if not (HTML / f"{page}.html").exists()]:
        sys.exit(f"{', '.join(missing)} not in {HTML.relative_to(ROOT)}: run make book first")
    HANDOUTS.mkdir(parents=True, exist_ok=True)
    with browser.served(HTML) as address, browser.chromium() as chromium:
        for page in chapters():
            view = chromium.new_page(color_scheme="light")
            view.goto(f"{address}/{page}.html", wait_until="load")
            view.evaluate("() => window.MathJax?.startup?.promise")
            path = HANDOUTS / f"{page.rpartition('/')[2]}.pdf"
            view.pdf(path=path, **PAPER)
            view.close()
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
