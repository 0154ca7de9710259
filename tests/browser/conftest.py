"""What the browser tests share: the built book behind a local server, and Chromium.

They need a built book (``make book``) and a Chromium or Chrome on the PATH; without either they
fail and say so. Nothing is fetched from the network: every other address is refused and noted.
"""

import functools
import gzip
from pathlib import Path

import pytest

from tools.exports import browser
from tools.exports.browser import QuietHandler, served  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def site():
    """The address of the built book."""
    if not (HTML / "index.html").exists():
        pytest.fail("There is no built book in _build/html: run make book first.")
    with served(HTML) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    with browser.chromium() as started:
        yield started


class Visit:
    """One page in a fresh browser context, and what went wrong while it loaded."""

    def __init__(self, browser, site, path, **context):
        self.site, self.path = site, path
        self.outside, self.failures, self.console, self.responses = [], [], [], []
        self.context = browser.new_context(**context)
        self.context.route("**/*", self.guard)
        self.page = self.context.new_page()
        self.page.on("response", self.note_response)
        self.page.on("console", self.note_console)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))

    def __enter__(self):
        """Load the page and wait until its formulas are set."""
        self.status = self.page.goto(f"{self.site}/{self.path}", wait_until="load").status
        self.page.wait_for_function(
            "() => !document.querySelector('.math') || window.MathJax?.startup?.promise"
        )
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self

    def __exit__(self, *_):
        self.context.close()

    def guard(self, route):
        if route.request.url.startswith((self.site, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def weight(self):
        """What the page has loaded by now, in bytes, compressed as a server would."""
        bodies = [response.body() for response in self.responses]
        return sum(min(len(body), len(gzip.compress(body, 6))) for body in bodies)

    def note_response(self, response):
        if not response.url.startswith(("data:", "blob:")):
            self.responses.append(response)
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.url}")

    def note_console(self, message):
        if message.type == "error":
            self.console.append(message.text)


@pytest.fixture(scope="session")
def visit(chromium, site):
    """``with visit(path, **context) as seen:`` opens a page of the book in a window of the given kind."""
    return functools.partial(Visit, chromium, site)
