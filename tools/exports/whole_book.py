"""Print the book as one PDF: ``python -m tools.exports.whole_book`` (or ``make pdf``) writes
_build/handouts/lossbook.pdf, and with ``--without-solutions`` lossbook-without-solutions.pdf.

The chapters and the pages of reference become one page of HTML, which Chromium prints as it prints
a handout: outline, tags and page numbers are those of one document, and a link from page to page of
the book stays inside. What is not printed is linked where the book is published.
"""

import argparse
import datetime
import json
import sys
from urllib.parse import urljoin

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader

from tools.book.build import HTML
from tools.exports import browser, handouts
from tools.toc import ROOT, chapters, parts

__all__ = ["main", "print_book", "printed_pages"]

REFERENCE = ["results", "notation", "glossary", "faq", "care", "references"]
PRINT = {"outline": True, "tagged": True, "prefer_css_page_size": True}
LONGEST_LOAD = 300_000  # milliseconds, on a slow machine
STYLE = """
@page { size: A4; margin: 15mm 15mm 18mm; @bottom-center { font: 7pt sans-serif; } }
.book-title { text-align: center; }
.book-contents { page: contents; }
.book-title .name { font-size: 3rem; font-weight: 600; line-height: 1.1; margin: 4cm 0 1rem; }
.book-title .subtitle { font-size: 1.4rem; }
.book-title img { margin: 1.5cm auto; width: 85%; }
.book-contents p { font-weight: 600; margin: 1rem 0 0.25rem; }
.book-contents ul { list-style: none; padding: 0; }
.book-contents a { color: inherit; display: flex; gap: 0.5rem; text-decoration: none; }
.book-contents .leader { border-bottom: 1px dotted; flex: 1; margin-bottom: 0.4em; }
.book-contents .page-number { min-width: 2rem; text-align: right; }
.bd-article h1 { display: block !important; }
.bd-article h1.book-part { font-size: 1.2rem; line-height: 2; margin: 0; }
"""
TITLE = """<article class="bd-article book-title">
<p class="name">{name}</p>
<p class="subtitle">{subtitle}</p>
<img src="../_static/hero.png" alt="Handwritten digits as points in a plane, under two losses">
<p>{author}</p>
<p>Version {version}, printed on {date}</p>
<p><a href="{address}">{address}</a></p>
<p>© {copyright}</p>
</article>"""
CONTENTS = '<article class="bd-article book-contents" id="contents"><h1>Contents</h1>{}</article>'
LINE = """<li><a href="#{name}"><span>{title}</span><span class="leader"></span>
<span class="page-number"></span></a></li>"""
FILL_IN = """numbers => {
  for (const line of document.querySelectorAll(".book-contents a"))
    line.querySelector(".page-number").textContent = numbers[line.hash.slice(1)];
}"""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tools.exports.whole_book", description="Print the built book as one PDF."
    )
    parser.add_argument(
        "--without-solutions", action="store_true", help="leave solutions and answers out"
    )
    options = parser.parse_args(arguments)
    pages = printed_pages()
    if missing := [page for page in pages if not (HTML / f"{page}.html").exists()]:
        sys.exit(f"{', '.join(missing)} not in {HTML.relative_to(ROOT)}: run make book first")
    handouts.HANDOUTS.mkdir(parents=True, exist_ok=True)
    with browser.served(HTML) as address, browser.chromium() as chromium:
        path = print_book(chromium, address, pages, not options.without_solutions)
        print(path.relative_to(ROOT))


def printed_pages():
    """The pages of the book that make sense on paper, in the order of _toc.yml."""
    printed = {*chapters(), *(f"book/{name}" for name in REFERENCE)}
    return [page for _, pages in parts() for page in pages if page in printed]


def print_book(chromium, address, pages, with_solutions=True, folder=handouts.HANDOUTS):
    """Print ``pages`` of the book at ``address`` as one PDF; returns its path.

    It is printed twice: the table of contents takes its numbers from the first print.
    """
    suffix = "" if with_solutions else "-without-solutions"
    path = folder / f"lossbook{suffix}.pdf"
    place = f"{address}/book/lossbook.html"  # pictures are where they are for every other page
    body = one_page(pages)
    view = handouts.paper(chromium)
    view.route(place, lambda route: route.fulfill(body=body, content_type="text/html"))
    view.goto(place, wait_until="load", timeout=LONGEST_LOAD)
    handouts.prepare(view, with_solutions)
    view.pdf(path=path, **PRINT)
    view.evaluate(FILL_IN, page_numbers(path, pages))
    view.pdf(path=path, **PRINT)
    view.close()
    return path


def page_numbers(path, pages):
    """On which page of the PDF at ``path`` each of ``pages`` begins, by its name."""
    reader = PdfReader(path)
    targets = reader.named_destinations
    return {
        name_of(page): reader.get_destination_page_number(targets[f"/{name_of(page)}"]) + 1
        for page in pages
    }


def one_page(pages):
    """Title page, table of contents and ``pages`` as one page of HTML, framed as the first is."""
    frame = parsed(pages[0])
    articles = {page: article(page, pages) for page in pages}
    titles = {page: text.h1.get_text() for page, text in articles.items()}
    contents, style = [], [STYLE, foot("contents", "Contents")]
    for caption, members in parts():
        if not (members := [page for page in members if page in pages]):
            continue
        contents.append(f"<p>{caption}</p><ul>")
        for page in members:
            contents.append(LINE.format(name=name_of(page), title=titles[page]))
            style.append(foot(name_of(page), titles[page]))
        contents.append("</ul>")
        heading = frame.new_tag("h1", attrs={"class": "book-part"})
        heading.string = caption
        articles[members[0]].insert(0, heading)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    name, _, subtitle = citation["title"].partition(": ")
    front = TITLE.format(
        name=name,
        subtitle=subtitle[0].upper() + subtitle[1:],
        version=citation["version"],
        date=datetime.date.today(),
        address=published_at(frame, pages[0]),
        **handouts.settings(),
    )
    front += CONTENTS.format("".join(contents))
    frame.select_one("#jb-print-docs-body").decompose()  # the title and sections of one page
    place = frame.select_one("article.bd-article")
    place.insert_before(*BeautifulSoup(front, "html.parser").contents, *articles.values())
    place.decompose()
    frame.title.string = name
    frame.head.append(BeautifulSoup(f"<style>{''.join(style)}</style>", "html.parser"))
    return str(frame)


def article(page, pages):
    """What a built page says, to stand in one page of HTML with the others of ``pages``.

    Its ids begin with the page's name, links to ``pages`` lead there, and its headings are a level
    below those of the parts.
    """
    built = parsed(page)
    text = built.select_one("article.bd-article")
    for element in text.select(".headerlink, .symbol-meaning"):
        element.decompose()
    for element in text.select("[id]:not([id^=T_])"):  # T_…: pandas styles a table by its ids
        element["id"] = f"{name_of(page)}-{element['id']}"
    base = published_at(built, page)
    for link in text.select("a[href]"):
        link["href"] = urljoin(f"{base}{page}.html", link["href"])
        address, _, section = link["href"].partition("#")
        other = address.removeprefix(base).removesuffix(".html")
        if other in pages:
            link["href"] = f"#{name_of(other)}-{section}".rstrip("-")
    for heading in text.select("h1, h2, h3, h4"):
        heading["aria-level"] = int(heading.name[1]) + 1
    text["id"] = name_of(page)
    text["style"] = f"page: {name_of(page)}"
    return text


def foot(name, title):
    """The style of the foot of the pages of a name."""
    words = json.dumps(f"{title} · {handouts.credit()} · ", ensure_ascii=False)
    content = f'content: {words} counter(page) " / " counter(pages)'
    return f"@page {name} {{ @bottom-center {{ {content}; }} }}"


def parsed(page):
    return BeautifulSoup((HTML / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def name_of(page):
    """A page's id and its name in a style: book-faq."""
    return page.replace("/", "-")


def published_at(built, page):
    """The address that the book is published at, as a built page says."""
    return built.select_one("link[rel=canonical]")["href"].removesuffix(f"{page}.html")


if __name__ == "__main__":
    main()
