"""How long each chapter runs, kept current: ``python -m tools.exports.chapter_minutes cpu`` after a
build of the book.

The build notes the seconds of each page it executes in its cache. This command copies those of the
chapters into book/minutes.json. From there, and from the record of ``make full``, they go into the
table of the teaching guide and the line under each chapter's title. The place is ``cpu``, ``colab``
or ``gpu``, wherever the build ran; what has not been measured is left out. Measure on a machine
that does nothing else. Without a place it measures nothing and writes the texts anew, as after a
change of _toc.yml or after ``make full``.
"""

import json
import math
import re
import sys

from jupyter_cache import get_cache
from myst_nb.core.read import myst_nb_reader_plugin

from tools.book.build import CACHE
from tools.book.execute import source
from tools.exports import full_profile
from tools.notebooks.setup_cell import HEADER
from tools.toc import ROOT, chapters, labels

RECORD, GUIDE = ROOT / "book/minutes.json", ROOT / "book/teaching.md"
PLACES = {"cpu": "two CPU cores", "colab": "Colab, CPU", "gpu": "GPU"}
COLUMNS = {**PLACES, "mnist": "all of MNIST, one CPU core"}
TABLE = re.compile(r"(?<=% minutes: begin\n)[\s\S]*?(?=% minutes: end)")


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


def measured_on_mnist(record):
    """Seconds of one CPU core that the chapters took which have passed on all of MNIST.

    ``record`` is that of ``make full``. Processor time does not depend on what else the machine
    did.
    """
    return {
        page: row["processor_seconds"]
        for page, row in record["pages"].items()
        if row["passed"] and row["machine"]["kind"] == "cpu"
    }


def in_words(seconds):
    """A time to plan with: rounded up, in tens of seconds below two minutes, then in minutes."""
    if seconds <= 110:
        return f"{max(10, 10 * math.ceil(seconds / 10))} s"
    return f"{math.ceil(seconds / 60)} min"


def table(times, pages, readings):
    """The teaching guide's table: a row per chapter, a column per place that has been measured."""
    columns = [place for place in COLUMNS if any(page in times.get(place, {}) for page in pages)]
    lines = [
        "| " + " | ".join(["chapter", "reading", *(COLUMNS[place] for place in columns)]) + " |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for page in pages:
        cells = [f"[{labels()[page][0]}](../{page}.md)", f"{readings[page]} min"]
        for place in columns:
            seconds = times[place].get(page)
            cells.append("–" if seconds is None else in_words(seconds))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n" + "\n".join(lines) + "\n\n"


def headed(text, quick, fast):
    """A chapter's text with the measured times in its header.

    ``quick`` and ``fast`` are the seconds with these profiles; None, not measured, is left out.
    """

    def line(header):
        parts = [f"Reading {header['reading']} min"]
        if quick is not None:
            parts.append(f"CPU {in_words(quick)}")
        if fast is not None:
            parts.append(f"all of MNIST {in_words(fast)}")
        return f"*{' · '.join(parts)}*"

    return HEADER.sub(line, text, count=1)


def current(record, on_mnist):
    """``{path: text}``: what the guide and the chapters say when they follow the measurements.

    ``record`` is that in book/minutes.json, ``on_mnist`` what :func:`measured_on_mnist` returns.
    """
    texts, readings = {}, {}
    for page in chapters():
        path = ROOT / f"{page}.md"
        text = path.read_text(encoding="utf-8")
        readings[page] = HEADER.search(text)["reading"]
        texts[path] = headed(text, record["cpu"].get(page), on_mnist.get(page))
    guide = GUIDE.read_text(encoding="utf-8")
    times = table({**record, "mnist": on_mnist}, chapters(), readings)
    return {**texts, GUIDE: TABLE.sub(lambda _: times, guide)}


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
    on_mnist = measured_on_mnist(full_profile.load())
    texts = {
        RECORD: json.dumps(record, indent=1, sort_keys=True) + "\n",
        **current(record, on_mnist),
    }
    for path, text in texts.items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    print("next: make notebooks")


if __name__ == "__main__":
    main(*sys.argv[1:])
