"""Tables of results, as pandas writes them, made ready for a page.

pandas gives the name of an index a row of its own, writes a hyphen for a minus, and a Styler brings
its own colours, which do not turn dark with the page.
"""

import re

from bs4 import BeautifulSoup

__all__ = ["dressed", "dressed_all"]

TABLE = re.compile(r"<table\b[^>]*(?:class=\"dataframe\"|id=\"T_)[^>]*>.*?</table>", re.S)
STYLER = re.compile(r"<style type=\"text/css\">\s*(?:#T_[^<]*)?</style>")
NUMBER = r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
QUANTITY = re.compile(rf"{NUMBER}(?: ?(?:±|to) ?{NUMBER})?(?: ?[%°])?(?: \(.*\))?\*?|–|")
HEAD = re.compile(r"<th\b.*?</th>", re.S)
POWER = re.compile(r"\b\d+e-\d+\b")  # 1e-4, which a line would end within
LONG = re.compile(r"(?<![\d.,])\d{5,}(?![\d,])")


def dressed_all(html):
    """A page's HTML with every table of results in it dressed."""
    return TABLE.sub(lambda match: dressed(match[0]), STYLER.sub("", html))


def dressed(table):
    """One table: one row of heads, numbers to the right, minus signs and thousands separators."""
    soup = BeautifulSoup(table, "html.parser")
    for name in ("border", "style"):
        del soup.table[name]
    if soup.thead:
        merge_index_names(soup.thead)
    for cell in soup.find_all("td"):
        if cell.string:
            cell.string = with_signs(cell.string.strip())
    mark_numbers(soup)
    return HEAD.sub(
        lambda head: POWER.sub(r'<span class="unbroken">\g<0></span>', head[0]), str(soup)
    )


def merge_index_names(head):
    """Put the names of an index, which have a row of their own, into the heads above them."""
    rows = head.find_all("tr")
    if len(rows) < 2:
        return
    above, names = (row.find_all("th") for row in rows[-2:])
    named = [name for name in names if name.get_text(strip=True)]
    if len(above) != len(names) or not named or named != names[: len(named)] or named == names:
        return
    for upper, lower in zip(above, named, strict=False):
        upper.string = lower.get_text(strip=True)
    rows[-1].decompose()


def with_signs(text):
    """A number with a minus sign for a hyphen and a separator for thousands; other text as is."""
    if not QUANTITY.fullmatch(text):
        return text
    text = re.sub(r"(?<![\de])-(?=\d)", "−", text)
    return LONG.sub(lambda match: f"{int(match[0]):,}", text)


def mark_numbers(soup):
    """Give the class ``number`` to the cells and heads of columns that hold quantities alone."""
    rows = soup.tbody.find_all("tr") if soup.tbody else []
    cells = [row.find_all("td") for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return
    columns = list(zip(*cells, strict=True))
    heads = soup.thead.find_all("tr")[-1].find_all(["th", "td"]) if soup.thead else []
    for head, column in zip(reversed(heads), reversed(columns), strict=False):
        if all(QUANTITY.fullmatch(cell.get_text(strip=True)) for cell in column):
            for cell in [head, *column]:
                cell["class"] = [*cell.get("class", []), "number"]
