"""How long each chapter runs, kept current: ``python -m tools.exports.chapter_minutes cpu`` after a
build of the book.

The build notes the seconds of each page it executes in its cache. This command copies those of the
chapters into book/minutes.json, and from there into the table of the teaching guide and the line
under each chapter's title. The place is ``cpu``, ``colab`` or ``gpu``, wherever the build ran; what
has not been measured says so. Measure on a machine that does nothing else. Without a place it
measures nothing and writes the table anew, as after a change of _toc.yml.
"""

import json
import re
import sys

from jupyter_cache import get_cache
from myst_nb.core.read import myst_nb_reader_plugin

from tools.book.execute import source
from tools.toc import ROOT, chapters, labels

CACHE, RECORD, GUIDE = (
    ROOT / "_build/.jupyter_cache",
    ROOT / "book/minutes.json",
    ROOT / "book/teaching.md",
)
PLACES = {"cpu": "two CPU cores", "colab": "Colab, CPU", "gpu": "GPU"}
UNKNOWN = "not yet measured"
TABLE = re.compile(r"(?<=% minutes: begin\n)[\s\S]*?(?=% minutes: end)")
HEADER = re.compile(
    r"(?<=\*Reading )(?P<reading>\d+) min · CPU (?P<cpu>.+?) · GPU (?P<gpu>.+?)(?=\*)"
)


def measured(pages, folder=CACHE):
    """Seconds that the pages in this cache took, as far as they are in it with the code they have
    now."""
    if not folder.exists():
        sys.exit(f"{folder.relative_to(ROOT)} is not there: build the book first, with make book")
    cache, seconds = get_cache(folder), {}
    for page in pages:
        try:
            record = cache.match_cache_notebook(myst_nb_reader_plugin(source(page)))
        except KeyError:
            continue
        seconds[page] = round(record.data["execution_seconds"])
    return seconds


def in_words(seconds):
    """A time to plan with: rounded up, in tens of seconds below two minutes, then in minutes."""
    if seconds is None:
        return UNKNOWN
    return f"{max(10, -(-seconds // 10) * 10)} s" if seconds <= 110 else f"{-(-seconds // 60)} min"


def table(record, pages, readings):
    """The teaching guide's table: a row a chapter, a column a place."""
    lines = [
        "| chapter | reading | " + " | ".join(PLACES.values()) + " |",
        "|---" * (2 + len(PLACES)) + "|",
    ]
    for page in pages:
        times = " | ".join(in_words(record.get(place, {}).get(page)) for place in PLACES)
        lines.append(f"| [{labels()[page][0]}](../{page}.md) | {readings[page]} min | {times} |")
    return "\n" + "\n".join(lines) + "\n\n"


def headed(text, times):
    """A chapter's text with the measured times in its header.

    ``times`` is ``{"cpu": seconds, "gpu": seconds}``; where it has None the header stays as it is.
    """

    def line(header):
        cpu, gpu = (
            in_words(times[place]) if times.get(place) is not None else header[place]
            for place in ("cpu", "gpu")
        )
        return f"{header['reading']} min · CPU {cpu} · GPU {gpu}"

    return HEADER.sub(line, text, count=1)


def current(record):
    """``{path: text}``: what the guide and the chapters say when they follow the record."""
    texts, readings = {}, {}
    for page in chapters():
        path = ROOT / f"{page}.md"
        text = path.read_text(encoding="utf-8")
        readings[page] = HEADER.search(text)["reading"]
        texts[path] = headed(
            text, {place: record.get(place, {}).get(page) for place in ("cpu", "gpu")}
        )
    guide = GUIDE.read_text(encoding="utf-8")
    return {**texts, GUIDE: TABLE.sub(lambda _: table(record, chapters(), readings), guide)}


def main(place=None):
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    if place is not None:
        if place not in PLACES:
            sys.exit(f"{place!r}: expected a place to measure, one of {', '.join(PLACES)}")
        record[place] |= measured(chapters())
    record = {
        name: {page: times[page] for page in chapters() if page in times}
        for name, times in record.items()
    }
    texts = {RECORD: json.dumps(record, indent=1, sort_keys=True) + "\n", **current(record)}
    for path, text in texts.items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    print("next: make notebooks")


if __name__ == "__main__":
    main(*sys.argv[1:])
