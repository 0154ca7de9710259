"""What the browser tests share: windows, a page opened in one, and waiting until it has settled."""

import gzip
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Test</title>
<link rel="icon" href="data:,"><style>body {{ margin: 16px }}</style><body>{}</body></html>"""


NOTE_SHIFTS = """window.shifted = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});"""


class Visit:
    """One page in a fresh browser context, and what went wrong while it loaded."""

    def __init__(self, browser, site, path, **context):
        self.site, self.path = site, path
        self.outside, self.failures, self.console, self.responses = [], [], [], []
        self.context = browser.new_context(**context)
        self.context.route("**/*", self.guard)
        self.context.add_init_script(NOTE_SHIFTS)
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
        self.shifted = self.page.evaluate("window.shifted")
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


def links_of(reader):
    """(addresses, names of places within) that the links of a PDF lead to."""
    links = [link.get_object() for page in reader.pages for link in page.get("/Annots", [])]
    addresses = {str(link["/A"]["/URI"]) for link in links if "/A" in link}
    return addresses, {str(link["/Dest"]) for link in links if "/Dest" in link}


def settle(page):
    """Wait until nothing moves: twelve frames without a change of any canvas or text."""
    page.evaluate("""async () => {
        const look = () =>
            [...document.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()).join()
            + document.body.innerText
            + getComputedStyle(document.querySelector(".lossbook-widget")).color;
        for (let before = "", same = 0; same < 12; ) {
            await new Promise(requestAnimationFrame);
            const now = look();
            same = now === before ? same + 1 : 0;
            before = now;
        } }""")
