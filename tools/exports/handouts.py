"""Print chapters: ``python -m tools.exports.handouts`` (or ``make handouts``) writes
_build/handouts/NN_slug.pdf, and with ``--without-solutions`` NN_slug-without-solutions.pdf.

The built page as Chromium prints it, with the print rules of book/_static/book.css: code and
figures included, boxes opened, author, licence and page number at the foot. The PDF has an outline
and is tagged for screen readers.
"""

import argparse
import re
import sys

import yaml

from tools.book.build import BUILD, HTML
from tools.exports import browser
from tools.toc import ROOT, chapters

__all__ = ["HANDOUTS", "credit", "main", "paper", "prepare", "print_chapter", "settings"]

HANDOUTS = BUILD / "handouts"
FOOT = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center">'
    '<span class="title"></span> · {credit} · <span class="pageNumber"></span> / '
    '<span class="totalPages"></span></div>'
)
PAPER = {
    "format": "A4",
    "margin": {"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
    "display_header_footer": True,
    "header_template": "<span></span>",
    "outline": True,
    "tagged": True,
}
TEXT_WIDTH = 680  # CSS pixels: A4 without its margins
# With solutions: everything open. Without: neither solutions nor answers of questions. A picture
# that is loaded only when it is scrolled to is loaded before the page is printed. A figure is no
# link to its file, and a link to another page leads to where the book is published. A table that
# would scroll sideways becomes smaller.
PREPARE = """async withSolutions => {
  const pictures = [...document.images];
  pictures.forEach(picture => picture.loading = "eager");
  await Promise.allSettled(pictures.map(picture => picture.decode()));
  for (const box of document.querySelectorAll(".admonition.solution"))
    if (!withSolutions) box.remove();
  for (const box of document.querySelectorAll("details")) {
    const answer = box.closest(".lossbook-quiz");
    if (answer && !withSolutions) box.remove(); else box.open = true;
  }
  for (const box of document.querySelectorAll(".toggle-hidden, .toggle"))
    box.classList.remove("toggle-hidden", "toggle");
  document.querySelectorAll("button.toggle-button").forEach(button => button.remove());
  const published = document.querySelector("link[rel=canonical]").href;
  for (const link of document.querySelectorAll(".bd-article a[href]")) {
    const target = link.getAttribute("href");
    if (link.matches(".image-reference")) link.removeAttribute("href");
    else if (!target.startsWith("#")) link.href = new URL(target, published);
  }
  for (const table of document.querySelectorAll(".bd-article .cell_output table")) {
    const scale = table.parentElement.clientWidth / table.offsetWidth;
    if (scale < 1) table.style.zoom = scale;
  }
}"""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tools.exports.handouts",
        description="Print chapters of the built book as PDF.",
    )
    parser.add_argument(
        "--chapters", nargs="+", metavar="NN", help="only these, such as 05 06 (default: all)"
    )
    parser.add_argument(
        "--without-solutions", action="store_true", help="leave solutions and answers out"
    )
    options = parser.parse_args(arguments)
    numbered = {re.search(r"/(\d\d)_", page)[1]: page for page in chapters()}
    chosen = options.chapters or list(numbered)
    if unknown := [number for number in chosen if number not in numbered]:
        parser.error(f"--chapters {' '.join(unknown)}: expected some of {' '.join(numbered)}")
    pages = [numbered[number] for number in chosen]
    if missing := [page for page in pages if not (HTML / f"{page}.html").exists()]:
        sys.exit(f"{', '.join(missing)} not in {HTML.relative_to(ROOT)}: run make book first")
    HANDOUTS.mkdir(parents=True, exist_ok=True)
    with browser.served(HTML) as address, browser.chromium() as chromium:
        for page in pages:
            path = print_chapter(chromium, address, page, not options.without_solutions)
            print(path.relative_to(ROOT))


def print_chapter(chromium, address, page, with_solutions=True, folder=HANDOUTS):
    """Print one page of the book at ``address``; returns the path of the PDF."""
    view = paper(chromium)
    view.goto(f"{address}/{page}.html", wait_until="load")
    prepare(view, with_solutions)
    suffix = "" if with_solutions else "-without-solutions"
    path = folder / f"{page.rpartition('/')[2]}{suffix}.pdf"
    view.pdf(path=path, footer_template=FOOT.format(credit=credit()), **PAPER)
    view.close()
    return path


def paper(chromium):
    """A window in which a page looks as it will on paper, so that wide things are fitted to it."""
    view = chromium.new_page(color_scheme="light", viewport={"width": TEXT_WIDTH, "height": 960})
    view.emulate_media(media="print")
    return view


def prepare(view, with_solutions):
    """Make the page that is open in ``view`` ready to be printed."""
    view.evaluate("() => window.MathJax?.startup?.promise")
    view.evaluate(PREPARE, with_solutions)


def credit():
    """Author and licence, as in _config.yml."""
    config = settings()
    licence = re.search(r"CC BY [\d.]+", config["copyright"])[0]
    return f"{config['author']}, {licence}"


def settings():
    """What _config.yml says."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
