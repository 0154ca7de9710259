"""The chapters' texts in a folder of this package, ``NN.md`` each."""

from lossbook.utils.validation import require

__all__ = ["chapters", "read"]


def chapters(folder):
    """The chapters that have a text in the folder, as two-digit strings."""
    names = [text.name for text in folder.iterdir()]
    return sorted(name.removesuffix(".md") for name in names if name.endswith(".md"))


def read(folder, chapter):
    """A chapter's text. Raises ``ValueError`` naming the chapters that have one, if it has none."""
    require(
        chapter in chapters(folder),
        f"chapter {chapter!r} has no {folder.name} yet; these have: {', '.join(chapters(folder))}",
    )
    return (folder / f"{chapter}.md").read_text(encoding="utf-8")
