"""What a page is about, where it is published, and the markup that is set right."""

from types import SimpleNamespace

import pytest

from tools import toc
from tools.book import sphinx_extension

SENTENCE = "A margin that is added to the angle itself, and what happens past π."


@pytest.mark.parametrize("page", toc.pages())
def test_every_page_says_what_it_is_about(page):
    assert toc.description(page)


@pytest.mark.parametrize(
    "text",
    [
        "# A page\n",
        "---\nfile_format: mystnb\n---\n# A page\n",
        "---\ndescription: Too short.\n---\n",
        f"---\ndescription: {SENTENCE[:-1]}\n---\n",
        f"---\ndescription: {'and on and ' * 20}on.\n---\n",
        f"# A page\n\n---\ndescription: {SENTENCE}\n---\n",
    ],
)
def test_a_page_that_does_not_is_refused(tmp_path, text):
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="page.md: description is .*expected"):
        toc.description("page", tmp_path)


def test_a_description_is_read_from_the_front_matter(tmp_path):
    (tmp_path / "page.md").write_text(
        f'---\njupytext: {{}}\ndescription: "{SENTENCE}"\n---\n# A page\n', encoding="utf-8"
    )
    assert toc.description("page", tmp_path) == SENTENCE


@pytest.mark.parametrize(
    "repository, address",
    [
        ("https://github.com/Ada/notes", "https://ada.github.io/notes/"),
        ("https://github.com/ada/notes/", "https://ada.github.io/notes/"),
        ("https://github.com/Ada/ada.github.io", "https://ada.github.io/"),
    ],
)
def test_a_repository_s_pages(repository, address):
    assert sphinx_extension.address_of_pages(repository) == address


@pytest.mark.parametrize(
    "given, expected",
    [("https://book.org", "https://book.org/"), ("", "https://ada.github.io/notes/")],
)
def test_an_address_in_the_settings_goes_first(given, expected):
    config = SimpleNamespace(
        html_baseurl=given, html_theme_options={"repository_url": "https://github.com/ada/notes"}
    )
    sphinx_extension.set_address(None, config)
    assert config.html_baseurl == expected


def test_lists_that_are_none_become_plain_boxes():
    lists = '<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl><ul role="list"></ul>'
    context = {
        "body": '<dt>f(<dl>\n<dd><em>x</em>,</dd>\n<dd>y=2,</dd>\n</dl>)</dt><div role="list" class="citation-list">\n'  # noqa: E501
        f'<div class="citation" id="id8" role="doc-biblioentry">\n{lists}'
    }
    sphinx_extension.mend(None, "page", "page.html", context, None)
    assert context["body"] == (
        '<dt>f(<span class="sig-lines"><span><em>x</em>,</span>\n<span>y=2,</span>\n</span>)</dt>'
        f'<div class="citation-list">\n<div class="citation" id="id8">\n{lists}'
    )


def test_exercises_share_no_id():
    context = {
        "body": '<div id="ex-a"><section id="exercise-content"></section></div><section id="solution-content"></section>'  # noqa: E501
        '<section id="on-content"></section>'
    }
    sphinx_extension.mend(None, "page", "page.html", context, None)
    assert context["body"] == (
        '<div id="ex-a"><section></section></div><section></section><section id="on-content"></section>'  # noqa: E501
    )


@pytest.mark.parametrize(
    "body, kept",
    [
        ('<span class="math notranslate nohighlight">x</span>', True),
        ('<div class="amsmath math notranslate">x</div>', True),
        ('<div class="highlight"><pre>x</pre></div>', False),
        ('<section class="mathjax_ignore"><p>x</p></section>', False),
        (None, False),
    ],
)
def test_mathjax_is_spared_where_nothing_needs_it(body, kept):
    scripts = [
        script("_static/book.js"),
        script("_static/mathjax/tex.js"),
        script(None, body="window.MathJax = {}"),
    ]
    context = {"script_files": scripts, **({"body": body} if body else {})}
    app = SimpleNamespace(config=SimpleNamespace(mathjax_path="mathjax/tex.js"))
    sphinx_extension.spare_mathjax(app, "page", "page.html", context, None)
    assert context["script_files"] == (scripts if kept else scripts[:1])


def script(filename, **attributes):
    return SimpleNamespace(filename=filename, attributes=attributes)
