"""The command assign."""

from lossbook.teaching import assign


def assign_chapter(options):
    for path in assign.release(
        options.chapter, options.out, options.seed, options.points, options.solutions
    ):
        print(path)
