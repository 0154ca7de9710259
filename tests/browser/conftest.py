"""Fixtures of the browser tests: the built book behind a local server, Chromium, and open pages.

They need a built book (``make book``) and a Chromium or Chrome on the PATH; without either they
fail with a message that names it. Nothing is fetched from the network: every other address is
refused and noted.
"""

import functools
import re

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.browser.helpers import HTML, Visit, settle
from tools.exports import browser


class ByPage(LoadScopeScheduling):
    """With ``-n 2`` a worker gets all tests of a page of the book, or of a module."""

    def _split_scope(self, nodeid):
        page = re.search(r"\[((?:book|notebooks)/[\w/]+)(?:-light|-dark)?\]$", nodeid)
        return page[1] if page else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    return ByPage(config, log)


@pytest.fixture(scope="session")
def site():
    """The address of the built book."""
    if not (HTML / "index.html").exists():
        pytest.fail("There is no built book in _build/html: run make book first.")
    with browser.served(HTML) as address:
        yield address


@pytest.fixture(scope="session")
def published(site):
    """The address that the built book is published at."""
    front = (HTML / "book/index.html").read_text(encoding="utf-8")
    return re.search(r'<link rel="canonical" href="(.*)book/index\.html"', front)[1]


@pytest.fixture(scope="session")
def chromium():
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="session")
def visit(chromium, site):
    """``with visit(path, **context) as seen:`` opens a page of the book in such a window."""
    return functools.partial(Visit, chromium, site)


@pytest.fixture
def open_page(chromium, folder):
    """``open_page(name, **context)`` opens a page of ``folder``, an address that a module serves.

    When the test is over, nothing may have gone wrong on the page.
    """
    visits = []

    def opened(name, still=True, **context):
        visits.append(Visit(chromium, folder, f"{name}.html", **context).__enter__())
        if still:
            settle(visits[-1].page)
        return visits[-1].page

    yield opened
    for seen in visits:
        assert (seen.status, seen.console, seen.outside, seen.failures) == (200, [], [], [])
        seen.__exit__()
