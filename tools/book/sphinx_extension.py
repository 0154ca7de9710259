"""What Sphinx adds to the pages: how links to them look elsewhere, the cards of the front page,
mended markup, and redirects from old addresses.

An extension, listed in _config.yml. What a page is about stands in its own front matter
(:func:`tools.toc.description`); its picture is the first on it, or else the front page's.
"""

import html
import re
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools.book import (
    cards,
    data_images,
    downloads,
    figure_files,
    math_widths,
    redirects,
    symbols,
    tables,
    text_font,
)
from tools.book.build import CACHE
from tools.toc import chapters, description, labels, pages

PICTURE = "_static/hero.png"


class BibtexEntry(SphinxDirective):
    """``{bibtex-entry}``: how to cite the book, with the address that it is published at."""

    def run(self):
        config = self.env.config
        entry = f"""@book{{lossbook,
  title     = {{{config.html_title}}},
  subtitle  = {{An executable book on margin-based softmax losses}},
  author    = {{{{{config.author}}}}},
  year      = {{{config.copyright[:4]}}},
  url       = {{{config.html_baseurl}}}
}}"""
        return [nodes.literal_block(entry, entry, language="bibtex")]


def address_of_pages(repository):
    """Where GitHub Pages publishes a repository: https://owner.github.io/name/."""
    owner, name = urlsplit(repository).path.strip("/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def set_address(app, config):
    """Previews need whole addresses: html.baseurl of _config.yml if it is set, else that of the
    repository's Pages."""
    given = config.html_baseurl or address_of_pages(config.html_theme_options["repository_url"])
    config.html_baseurl = given.rstrip("/") + "/"


def add_tags(app, page, template, context, doctree):
    """Describe a page to search engines, and to whoever shows a preview of a link to it."""
    if page not in pages():
        return
    base, summary = app.config.html_baseurl, description(page)
    picture, alt = first_picture(app, doctree)
    tags = [
        ("name", "description", summary),
        ("name", "twitter:card", "summary_large_image"),
        ("property", "og:site_name", app.config.html_title),
        ("property", "og:type", "article"),
        ("property", "og:title", labels()[page][0]),
        ("property", "og:description", summary),
        ("property", "og:url", f"{base}{page}.html"),
        ("property", "og:image", base + picture),
        ("property", "og:image:alt", alt),
    ]
    context["metatags"] += "".join(
        f'<meta {kind}="{name}" content="{html.escape(content)}" />\n'
        for kind, name, content in tags
    )


def first_picture(app, doctree):
    """(path, alt text) of the first picture that the page shows from a file, or of the front
    page's."""
    for image in doctree.findall(nodes.image):
        if image["uri"].startswith(
            app.builder.imgpath
        ):  # written by now, the page names the book's own copy
            return "_images/" + image["uri"].rpartition("/")[2], image.get("alt", "")
    return PICTURE, "Handwritten digits as points in a plane, under two losses"


def add_meanings(app, page, template, context, doctree):
    """Let a chapter say what its symbols mean."""
    if page in chapters():
        context["body"] = symbols.add_meanings(page, context["body"])


def mend(app, page, template, context, doctree):
    """Mend what extensions write: lists that are none become plain boxes, an id that all exercises
    share goes, tables of results are dressed, and formulas get their width."""
    if "body" in context:
        body = re.sub(
            r' role="doc-biblioentry"|(?<=<div) role="list"(?= class="citation-list")'
            r'|(?<=<section) id="(exercise|solution)-content"',
            "",
            context["body"],
        )
        body = re.sub(r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>", as_lines, body)
        context["body"] = math_widths.reserve_all(tables.dressed_all(body))


def move_pictures(app, page, template, context, doctree):
    """Put pictures that a page holds in base64 into files."""
    if "body" in context:
        context["body"] = data_images.to_files(
            context["body"], app.outdir, lambda name: context["pathto"](name, resource=True)
        )


def dress_figures(app, page, template, context, doctree):
    """Give the figures of cells their size, and those for narrow screens their place."""
    if "body" in context:
        images = {name: app.srcdir / path for path, name in app.builder.images.items()}
        context["body"] = figure_files.in_page(context["body"], images, CACHE, app.outdir)


def spare_mathjax(app, page, template, context, doctree):
    """Load MathJax where there are formulas to set, and nowhere else."""
    if not re.search(r'class="(?:[^"]* )?math[ "]', context.get("body", "")):
        context["script_files"] = [
            script
            for script in context["script_files"]
            if "MathJax" not in script.attributes.get("body", "")
            and not str(script.filename).endswith(app.config.mathjax_path)
        ]


def skip_bare_fields(app, what, name, member, skip, options):
    """The fields of a named tuple stand in its docstring; a list of their numbers says nothing."""
    return True if (getattr(member, "__doc__", None) or "").startswith("Alias for field") else None


def redirect_old_addresses(app, error):
    """Leave a page that leads on wherever a page of the book used to be."""
    if error is None:
        redirects.write(Path(app.outdir), app.config.html_baseurl)


def pack_notebooks(app, error):
    """Leave an archive of all notebooks, with a link on the front page."""
    if error is None:
        files = downloads.notebooks(app.config.html_baseurl)
        downloads.add(Path(app.outdir), "notebooks", files)


def as_lines(signature):
    lines = signature[1].replace("<dd>", "<span>").replace("</dd>", "</span>")
    return f'<span class="sig-lines">{lines}</span>'


def setup(app):
    app.add_directive("bibtex-entry", BibtexEntry)
    app.add_directive("cards", cards.Cards)
    app.add_directive("list-of-pages", cards.ListOfPages)
    app.connect("config-inited", set_address)
    app.connect("html-page-context", add_tags)
    app.connect("html-page-context", add_meanings)
    app.connect("html-page-context", text_font.preload)
    app.connect("html-page-context", mend)
    app.connect("html-page-context", move_pictures)
    app.connect("html-page-context", dress_figures)
    app.connect("html-page-context", cards.add_pictures)
    app.connect("html-page-context", spare_mathjax, priority=900)  # after MathJax has been added
    app.connect("autodoc-skip-member", skip_bare_fields)
    app.connect("build-finished", redirect_old_addresses)
    app.connect("build-finished", pack_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
