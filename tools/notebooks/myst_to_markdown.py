"""MyST lowered to the plain Markdown that Colab, GitHub and Jupyter show.

An admonition becomes a quotation, a reference the text that it shows in the book, a citation
author, year and link; a solution is folded. What has no rule raises an error, so nothing ever shows raw.
"""

import posixpath
import re

from tools.toc import ROOT, TARGET, bibliography, chapters, labels

ADMONITIONS = {"admonition", "attention", "caution", "danger", "dropdown", "error", "hint",
               "important", "note", "seealso", "tip", "warning"}

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|:{3,}|~{3,})(?P<info>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<key>[\w-]+):\s*(?P<value>.*)$")
MATH = re.compile(r"^(?P<indent> *)\$\$(?P<tex>.+?)\$\$ *(?:\((?P<label>[\w:.-]+)\))?[ ]*$", re.M | re.S)
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
TITLED = re.compile(r"^(?P<title>.*?)\s*<(?P<label>[^>]+)>$", re.S)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>#?[\w:-]+|[\w/.-]+\.md)\)")
COMMENT = re.compile(r"^%.*\n?", re.M)


class Lowering:
    """Rules from MyST to plain Markdown, for the Markdown cells of one page."""

    def __init__(self, page, root=ROOT):
        self.page, self.root = page, root

    def __call__(self, text):
        """Lower the fenced blocks, innermost first, and the prose between them."""
        done, prose, lines = [], [], text.split("\n")
        while lines:
            opening = FENCE.match(lines[0])
            if not opening:
                prose.append(lines.pop(0))
                continue
            done.append(self.prose("\n".join(prose)) if prose else None)
            prose, block = [], self.take_block(lines, opening)
            directive = DIRECTIVE.match(opening["info"].strip())
            done.append(indented(self.directive(directive, block[1:-1], opening), opening["indent"])
                        if directive else "\n".join(block))
        done.append(self.prose("\n".join(prose)))
        return "\n".join(part for part in done if part is not None).strip("\n")

    def take_block(self, lines, opening):
        """Remove from ``lines`` the block that ``opening`` begins, closing fence included, and return it."""
        closing = re.compile(rf"^ *{re.escape(opening['fence'][0])}{{{len(opening['fence'])},}} *$")
        for end, line in enumerate(lines[1:], 2):
            if closing.match(line):
                block, lines[:] = lines[:end], lines[end:]
                return block
        raise self.error(lines[0], "is never closed")

    def directive(self, directive, body, opening):
        body = [line.removeprefix(opening["indent"]) for line in body]
        options = {}
        while body and (option := OPTION.match(body[0])):
            options[option["key"]] = option["value"]
            body.pop(0)
        name, argument, text = directive["name"], directive["argument"], "\n".join(body).strip("\n")
        if name in ADMONITIONS:
            title = self.prose(argument) or name.capitalize()
            return indented(f"**{title}**\n\n{self(text)}", "> ").replace("> \n", ">\n")
        if name == "math":
            return self.equation(text, options.get("label"))
        if name in ("figure", "image"):
            image = f"![{options.get('alt', '')}]({argument})"
            number = self.label(options["name"]) + ". " if "name" in options else ""
            return f"{image}\n\n*{number}{self.prose(text)}*" if text else image
        if name == "exercise":
            return f"**{self.label(options.get('label', name))}**" + f" ({self.prose(argument)})" * bool(argument) + f"\n\n{self(text)}"
        if name == "solution":
            return self.folded(self.solution(argument), self(text))
        if name == "bibliography":
            return self.bibliography()
        if name == "code-block":
            return f"```{argument}\n{text}\n```"
        raise self.error(f"{{{name}}}", "has no rule in tools/notebooks/myst_to_markdown.py")

    def solution(self, label):
        return f"Solution to {self.label(label)}"

    def folded(self, title, text):
        return f"<details>\n<summary><b>{title}</b></summary>\n\n{text}\n\n</details>"

    def prose(self, text):
        text = COMMENT.sub("", TARGET.sub("", text))
        text = MATH.sub(lambda m: indented(self.equation(m["tex"], m["label"]), m["indent"]), text)
        if re.search(r"^\\begin\{", re.sub(r"\$\$.*?\$\$", "", text, flags=re.S), re.M):
            raise self.error(r"\begin{…}", "outside $$ shows raw in a notebook: put it between $$ lines")
        text = ROLE.sub(self.role, text)
        return LINK.sub(self.link, text)

    def equation(self, tex, label):
        number = f"\n\\tag{{{self.label(label).strip('()')}}}" if label else ""
        return f"$$\n{tex.strip()}{number}\n$$"

    def role(self, match):
        name, text = match["name"], " ".join(match["text"].split())
        if name == "math":
            return f"${text}$"
        if name.partition(":")[0] == "cite":
            return self.citation(name, text)
        if name in ("eq", "numref"):
            return self.label(text)
        if name in ("ref", "doc"):
            titled = TITLED.match(text)
            return self.reference(titled["label"], titled["title"]) if titled else self.reference(text)
        raise self.error(f"{{{name}}}", "has no rule in tools/notebooks/myst_to_markdown.py")

    def link(self, match):
        return self.reference(match["target"].removeprefix("#"), match["text"])

    def reference(self, target, text=""):
        """A link to the notebook that holds the label, or the page, ``target``; plain text if that is this one."""
        if target.endswith(".md") or re.match(r"\d\d_", target):
            path = (self.root / self.page).parent / target
            target = path.resolve().relative_to(self.root.resolve()).with_suffix("").as_posix()
        shown, page = text or self.label(target), self.found(target)[1]
        if page == self.page:
            return shown
        here = self.page.rpartition("/")[0]
        suffix = ".ipynb" if page in chapters(self.root) else ".md"
        return f"[{shown}]({posixpath.relpath(page, here)}{suffix})"

    def label(self, label):
        return self.found(label)[0]

    def found(self, label):
        if label not in labels(self.root):
            raise self.error(label, "is no label of an equation, a figure, an exercise or a section heading")
        return labels(self.root)[label]

    def citation(self, name, keys):
        cited = [self.entry(key.strip()) for key in keys.split(",")]
        if name == "cite:t":
            return ", ".join(f"[{names(entry)} ({entry.fields['year']})]({address(entry)})" for entry in cited)
        return "(" + "; ".join(f"[{names(entry)}, {entry.fields['year']}]({address(entry)})" for entry in cited) + ")"

    def bibliography(self):
        """The works that this page cites, one a line."""
        text = (self.root / f"{self.page}.md").read_text(encoding="utf-8")
        keys = {key.strip() for role in ROLE.finditer(text) if role["name"].startswith("cite")
                for key in role["text"].split(",")}
        works = sorted((names(entry, 99), entry.fields["year"], entry.fields["title"].translate({123: "", 125: ""}), address(entry))
                       for entry in map(self.entry, keys))
        return "\n".join(f"- {authors} ({year}). [{title}]({link})." for authors, year, title, link in works)

    def entry(self, key):
        if key not in bibliography(self.root):
            raise self.error(key, "is not in book/references.bib")
        return bibliography(self.root)[key]

    def error(self, what, problem):
        return ValueError(f"{self.page}.md: {what} {problem}.")


def names(entry, most=2):
    """The authors' family names, "et al." if there are more than ``most``."""
    families = [" ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]]
    if len(families) > most:
        return f"{families[0]} et al."
    return ", ".join(families[:-1]) + " and " * (len(families) > 1) + families[-1]


def address(entry):
    return entry.fields.get("url") or f"https://doi.org/{entry.fields['doi']}"


def indented(text, indent):
    return "\n".join(indent + line for line in text.split("\n")) if indent else text
