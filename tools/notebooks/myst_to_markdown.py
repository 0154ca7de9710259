"""Lower MyST to the plain Markdown that Colab, GitHub and Jupyter show.

An admonition becomes a quotation, a reference the text that it shows in the book, a citation
author, year and link; a solution is folded. What has no rule raises an error, so nothing ever
shows raw.
"""

import posixpath
import re

from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin

from tools.toc import ROOT, TARGET, bibliography, chapters, labels

ADMONITIONS = {
    "admonition",
    "attention",
    "caution",
    "danger",
    "dropdown",
    "error",
    "hint",
    "important",
    "note",
    "seealso",
    "tip",
    "warning",
}

MARKDOWN = MarkdownIt("commonmark").use(colon_fence_plugin)
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
OPTIONS = re.compile(r"\A(?::[\w-]+:.*\n)*")
OPTION = re.compile(r"^:(?P<key>[\w-]+):\s*(?P<value>.*)$", re.M)
MATH = re.compile(
    r"^(?P<indent> *)\$\$(?P<tex>.+?)\$\$ *(?:\((?P<label>[\w:.-]+)\))?[ ]*$", re.M | re.S
)
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
TITLED = re.compile(r"^(?P<title>.*?)\s*<(?P<label>[^>]+)>$", re.S)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>#?[\w:-]+|[\w/.-]+\.md)\)")
COMMENT = re.compile(r"^%.*\n?", re.M)
BRACES = str.maketrans("", "", "{}")


class Lowering:
    """Rules from MyST to plain Markdown, for the Markdown cells of one page.

    Called with the text of a cell, it returns the lowered text. Raises ``ValueError`` naming the
    page and the piece of MyST that has no rule, no target or no end.
    """

    def __init__(self, page, root=ROOT):
        self.page, self.root = page, root

    def __call__(self, text):
        """Lower the fenced blocks, innermost first, and the prose between them."""
        lines, lowered, position = text.split("\n"), [], 0
        for token in MARKDOWN.parse(text):
            if token.type in ("fence", "colon_fence"):
                start, end = token.map
                if start > position:
                    lowered.append(self.prose("\n".join(lines[position:start])))
                lowered.append(self.fence(token, lines[start:end]))
                position = end
        lowered.append(self.prose("\n".join(lines[position:])))
        return "\n".join(lowered).strip("\n")

    def fence(self, token, lines):
        """Lower a directive; a fence of code stays as it is."""
        if len(lines) != len(token.content.splitlines()) + 2:  # the two are the fence itself
            raise self.error(lines[0], "is never closed")
        directive = DIRECTIVE.match(token.info.strip())
        if not directive:
            return "\n".join(lines)
        indent = lines[0].partition(token.markup)[0]
        if indent.strip():
            raise self.error(lines[0], "is not on a line of its own")
        text = self.directive(directive["name"], directive["argument"], token.content)
        return indented(text, indent)

    def directive(self, name, argument, content):
        head = OPTIONS.match(content)[0]
        options = dict(OPTION.findall(head))
        text = content[len(head) :].strip("\n")
        if name in ADMONITIONS:
            return self.admonition(self.prose(argument) or name.capitalize(), text)
        if name == "math":
            return self.equation(text, options.get("label"))
        if name in ("figure", "image"):
            return self.figure(argument, text, options)
        if name == "exercise":
            return self.exercise(argument, text, options.get("label", name))
        if name == "solution":
            return self.folded(self.solution(argument), self(text))
        if name == "bibliography":
            return self.bibliography()
        if name == "code-block":
            return f"```{argument}\n{text}\n```"
        raise self.error(f"{{{name}}}", "has no rule in tools/notebooks/myst_to_markdown.py")

    def admonition(self, title, text):
        return indented(f"**{title}**\n\n{self(text)}", "> ").replace("> \n", ">\n")

    def equation(self, tex, label):
        number = f"\n\\tag{{{self.label(label).strip('()')}}}" if label else ""
        return f"$$\n{tex.strip()}{number}\n$$"

    def figure(self, file, caption, options):
        image = f"![{options.get('alt', '')}]({file})"
        if not caption:
            return image
        return f"{image}\n\n{self.caption(options.get('name'), caption)}"

    def caption(self, name, text):
        number = f"**{self.label(name)}.** " if name else ""
        return number + self.prose(text)

    def exercise(self, title, text, label):
        heading = f"**{self.label(label)}**"
        if title:
            heading += f" ({self.prose(title)})"
        return f"{heading}\n\n{self(text)}"

    def solution(self, label):
        return f"Solution to {self.label(label)}"

    def folded(self, title, text):
        return f"<details>\n<summary><b>{title}</b></summary>\n\n{text}\n\n</details>"

    def prose(self, text):
        """Lower equations, roles and links; drop comments and the labels of sections."""
        text = COMMENT.sub("", TARGET.sub("", text))
        text = MATH.sub(
            lambda math: indented(self.equation(math["tex"], math["label"]), math["indent"]), text
        )
        outside_math = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
        if re.search(r"^\\begin\{", outside_math, re.M):
            raise self.error(
                r"\begin{…}", "outside $$ shows raw in a notebook: put it between $$ lines"
            )
        text = ROLE.sub(self.role, text)
        return LINK.sub(self.link, text)

    def role(self, match):
        name, text = match["name"], " ".join(match["text"].split())
        if name == "math":
            return f"${text}$"
        if name.partition(":")[0] == "cite":
            return self.citation(name, text)
        if name in ("eq", "numref"):
            return self.label(text)
        if name == "term":  # a word of the glossary, shown as it is or by another
            return TITLED.sub(r"\g<title>", text)
        if name in ("ref", "doc"):
            titled = TITLED.match(text)
            if titled:
                return self.reference(titled["label"], titled["title"])
            return self.reference(text)
        raise self.error(f"{{{name}}}", "has no rule in tools/notebooks/myst_to_markdown.py")

    def link(self, match):
        return self.reference(match["target"].removeprefix("#"), match["text"])

    def reference(self, target, text=""):
        """A link to the page that ``target``, a label or a page, is on.

        On that page itself it is plain text.
        """
        if target.endswith(".md") or re.match(r"\d\d_", target):
            path = (self.root / self.page).parent / target
            target = path.resolve().relative_to(self.root.resolve()).with_suffix("").as_posix()
        title, page = self.look_up(target)
        if page == self.page:
            return text or title
        folder = self.page.rpartition("/")[0]
        suffix = ".ipynb" if page in chapters(self.root) else ".md"
        return f"[{text or title}]({posixpath.relpath(page, folder)}{suffix})"

    def label(self, label):
        """The number or title that stands for a label: "(6.2)", "Fig. 6.1"."""
        return self.look_up(label)[0]

    def look_up(self, label):
        if label not in labels(self.root):
            raise self.error(
                label, "is no label of an equation, a figure, an exercise or a section heading"
            )
        return labels(self.root)[label]

    def citation(self, role, keys):
        entries = [self.entry(key.strip()) for key in keys.split(",")]
        if role == "cite:t":
            return ", ".join(
                f"[{author_names(entry)} ({entry.fields['year']})]({address(entry)})"
                for entry in entries
            )
        links = (
            f"[{author_names(entry)}, {entry.fields['year']}]({address(entry)})"
            for entry in entries
        )
        return f"({'; '.join(links)})"

    def bibliography(self):
        """The works that this page cites, one per line, by author and year."""
        text = (self.root / f"{self.page}.md").read_text(encoding="utf-8")
        keys = set()
        for role in ROLE.finditer(text):
            if role["name"].startswith("cite"):
                keys |= {key.strip() for key in role["text"].split(",")}
        works = []
        for entry in map(self.entry, keys):
            title = entry.fields["title"].translate(BRACES)
            authors = author_names(entry, at_most=99)
            works.append((authors, entry.fields["year"], title, address(entry)))
        return "\n".join(
            f"- {authors} ({year}). [{title}]({link})."
            for authors, year, title, link in sorted(works)
        )

    def entry(self, key):
        if key not in bibliography(self.root):
            raise self.error(key, "is not in book/references.bib")
        return bibliography(self.root)[key]

    def error(self, what, problem):
        return ValueError(f"{self.page}.md: {what} {problem}.")


def author_names(entry, at_most=2):
    """The authors' family names; the first and "et al." if there are more than ``at_most``."""
    families = [
        " ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]
    ]
    if len(families) > at_most:
        return f"{families[0]} et al."
    if len(families) == 1:
        return families[0]
    return ", ".join(families[:-1]) + " and " + families[-1]


def address(entry):
    return entry.fields.get("url") or f"https://doi.org/{entry.fields['doi']}"


def indented(text, indent):
    return "\n".join(indent + line for line in text.split("\n")) if indent else text
