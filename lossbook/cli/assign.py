"""The command assign: an assignment on a chapter, for a class."""

__all__ = ["add_parser", "assign"]


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "assign",
        help="make an assignment for a class: notebooks and an nbgrader course",
        description="Write an assignment on a chapter into a folder: the students' notebook, the "
        "solution and a course for nbgrader with hidden tests, points and a README.",
        add_options=_add_options,
    )
    parser.set_defaults(command=assign)


def _add_options(parser):
    from lossbook.teaching.assign import chapters

    parser.add_argument("chapter", metavar="CHAPTER", help="one of: " + ", ".join(chapters()))
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="the folder to write to; an nbgrader course in it grows",
    )
    parser.add_argument(
        "--points", type=float, help="what all tasks together are worth (default: as the text says)"
    )
    parser.add_argument(
        "--no-solutions",
        dest="solutions",
        action="store_false",
        help="write only the students' notebook",
    )
    parser.add_argument(
        "--quiz",
        action="store_true",
        help="also write the chapter's questions, in Moodle's GIFT format",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="other numbers for another year (default 0)"
    )


def assign(options):
    """Write the assignment and print the paths of its files."""
    from lossbook.teaching.assign import release
    from lossbook.teaching.quiz import release as release_quiz

    paths = release(options.chapter, options.out, options.seed, options.points, options.solutions)
    if options.quiz:
        paths.append(release_quiz(options.chapter, options.out))
    for path in paths:
        print(path)
