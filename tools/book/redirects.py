"""Old addresses of pages lead to the new ones.

A page that is renamed keeps its readers: :data:`MOVED` says where it is now, and the build leaves a
small page at the old address that goes on to the new one, to the same section.
"""

import html
import json
from pathlib import PurePosixPath

from tools.toc import ROOT, labels

# Old page: new page. A line with a #fragment is for a section that went elsewhere than its page.
# The first is no old page but the address of the whole book.
MOVED = {
    "index": "book/index",
    "notebooks/08_euclidean": "notebooks/10_euclidean",
    "notebooks/09_sphere": "notebooks/11_three_dimensions",
    "notebooks/10_strangers": "notebooks/12_verification",
    "notebooks/10_strangers#rare-classes": "notebooks/13_imperfect_data#rare-classes",
    "notebooks/10_strangers#wrong-labels": "notebooks/13_imperfect_data#wrong-labels",
    "notebooks/10_strangers#sub-centres": "notebooks/13_imperfect_data#sub-centres",
    "notebooks/10_strangers#equation-eq-strangers-subcenter": (
        "notebooks/13_imperfect_data#equation-eq-imperfect-subcenter"
    ),
    "notebooks/11_many_classes": "notebooks/09_many_classes",
    "notebooks/12_nan": "notebooks/08_nan",
}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="canonical" href="{canonical}">
<script>
const sections = new Map({sections});
location.replace(sections.get(location.hash) ?? "{target}" + location.hash);
</script>
<noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>
</head>
<body><p>This page is at <a href="{target}">{title}</a>.</p></body>
</html>
"""


def redirect(old, base, moved=MOVED, root=ROOT):
    """The HTML to leave at the address of the page ``old``, a key of ``moved``.

    A browser goes on to the new page and keeps the fragment, so that a link to a section, an
    equation or an exercise still leads there; without JavaScript it goes to the top of the page.
    ``base`` is the address that the book is published at, for search engines.
    """
    new = moved[old]
    elsewhere = [
        ["#" + address.partition("#")[2], _relative(old, target)]
        for address, target in moved.items()
        if address.startswith(f"{old}#")
    ]
    return PAGE.format(
        title=html.escape(labels(root)[new][0]),
        canonical=html.escape(f"{base}{new}.html"),
        target=_relative(old, new),
        sections=json.dumps(elsewhere),
    )


def write(folder, base):
    """Write a redirect for every page of :data:`MOVED` into the built book in ``folder``."""
    for old in MOVED:
        if "#" not in old:
            path = folder / f"{old}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(redirect(old, base), encoding="utf-8")


def _relative(old, address):
    """The address of ``page#fragment`` as seen from the page ``old``."""
    page, hash_sign, fragment = address.partition("#")
    up = "../" * (len(PurePosixPath(old).parts) - 1)
    return f"{up}{page}.html{hash_sign}{fragment}"
