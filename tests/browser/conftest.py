"""What the browser tests share: the built book behind a local server, and Chromium.

They need a built book (``make book``) and a Chromium or Chrome on the PATH; without either they
fail and say so. Nothing is fetched from the network: every other address is refused and noted.
"""

import contextlib
import functools
import gzip
import http.server
import shutil
import threading
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address under which ``folder`` is served for the time of a ``with``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def site():
    """The address of the built book."""
    if not (HTML / "index.html").exists():
        pytest.fail("There is no built book in _build/html: run make book first.")
    with served(HTML) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    names = ["chromium", "chromium-browser", "google-chrome"]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail(f"No browser found (looked for {', '.join(names)}): install one, on Debian apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


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
        self.page.wait_for_function("() => !document.querySelector('.math') || window.MathJax?.startup?.promise")
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
