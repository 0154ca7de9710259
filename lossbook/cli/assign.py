"""The command assign: assignments on chapters and tests of a course, for a class."""

__all__ = ["add_parser", "assign"]


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "assign",
        help="make an assignment for a class: notebooks and an nbgrader course",
        description="Write assignments on chapters into a folder: for each the students' notebook, "
        "the solution and a course for nbgrader with hidden tests, points and a README. With "
        "--quiz, course-before and course-after are tests for the whole course.",
        add_options=_add_options,
    )
    parser.set_defaults(command=assign)


def _add_options(parser):
    from lossbook.teaching.assign import chapters
    from lossbook.teaching.quiz import COURSE

    parser.add_argument(
        "chapters",
        nargs="+",
        metavar="CHAPTER",
        help="of these: " + ", ".join(chapters()) + "; with --quiz also " + ", ".join(COURSE),
    )
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
        help="also write the questions of each chapter, in Moodle's GIFT format",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="other numbers for another year (default 0)"
    )


def assign(options):
    """Write the assignments and print the paths of their files."""
    from lossbook.teaching.assign import release
    from lossbook.teaching.quiz import COURSE
    from lossbook.teaching.quiz import release as release_quiz
    from lossbook.utils.validation import require

    tests = [name for name in options.chapters if name in COURSE]
    require(options.quiz or not tests, f"{' '.join(tests)}: these are questions, so add --quiz")
    settings = options.out, options.seed, options.points, options.solutions
    for name in options.chapters:
        paths = [] if name in COURSE else release(name, *settings)
        if options.quiz:
            paths.append(release_quiz(name, options.out))
        for path in paths:
            print(path)
