"""Assignments: right for every seed, blank where they should be, and graded by a real nbgrader.

nbgrader has an environment of its own, made once in ``_build/nbgrader``. Submissions run with this
one.
"""

import ast
import copy
import csv
import doctest
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook import heads
from lossbook.cli import main as cli
from lossbook.teaching import assign, check
from lossbook.teaching import points as points_module
from lossbook.teaching.points import share_points

ROOT = Path(__file__).parents[2]
NBGRADER, VERSION = ROOT / "_build/nbgrader", "0.9.6"
CELL_SECONDS = 25


def run_cells(notebook, replace=None):
    """Execute a notebook's code cells; (points, {name: message} of failed tests)."""
    names, points, failed = {}, 0.0, {}
    for cell in notebook["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] != "code":
            continue
        source = (replace or {}).get(mark.get("grade_id", "").rpartition("-")[2], cell["source"])
        source = source.replace(
            assign.FRESH,
            "import math\nfrom lossbook import heads\nfrom lossbook.teaching import check\n",
        )
        try:
            exec(source, names)
            points += mark.get("points", 0)
        except AssertionError as error:
            failed[mark["grade_id"]] = str(error)
    return points, failed


def automatic(notebook):
    return sum(
        cell["metadata"]["nbgrader"]["points"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("grade")
    )


@pytest.mark.parametrize("chapter", assign.chapters())
def test_the_solution_has_full_marks_for_any_seed_and_a_blank_none(chapter):
    for seed in (0, 2026):
        source = assign.notebook(chapter, seed=seed)
        points, failed = run_cells(source)
        assert failed == {} and points == pytest.approx(automatic(source)) and points > 10
        blank = copy.deepcopy(source)
        for cell in blank["cells"]:
            cell["source"] = assign.blank_solutions(cell["source"])
        points, failed = run_cells(blank)
        assert points == 0 and len(failed) > 5


@pytest.mark.parametrize("chapter", assign.chapters())
def test_an_assignment_has_all_kinds_of_task(chapter):
    kinds = [block.kind for block in assign.blocks(chapter)]
    assert 4 <= kinds.count("answer") <= 6 and kinds.count("written") == 1
    assert "figure" in kinds and "check" in kinds and "test" in kinds
    assert all(
        len(block.argument) > 40 for block in assign.blocks(chapter) if block.kind == "figure"
    )


@pytest.mark.parametrize("chapter", assign.chapters())
def test_seeds_draw_other_numbers_and_the_same_again(chapter):
    texts = {seed: json.dumps(assign.notebook(chapter, seed=seed)) for seed in range(3)}
    assert len(set(texts.values())) == 3 and texts[2] == json.dumps(
        assign.notebook(chapter, seed=2)
    )
    assert "{{" not in "".join(cell["source"] for cell in json.loads(texts[0])["cells"])


@pytest.mark.parametrize("version", ["student", "solution", "source"])
@pytest.mark.parametrize("chapter", assign.chapters())
def test_notebooks_are_valid_and_the_students_holds_no_answer(chapter, version):
    notebook = assign.notebook(chapter, version)
    nbformat.validate(nbformat.from_dict(notebook))
    text = json.dumps(notebook, ensure_ascii=False)
    assert ("BEGIN SOLUTION" in text) == (version == "source")
    assert (assign.BLANK in text) == (version != "solution")
    assert ("HIDDEN" in text) == (version == "source") == ("nbgrader" in text)
    if version == "student":
        assert assign.BLANK in text and "assert" not in text
        assert not any("figures." in cell["source"] for cell in notebook["cells"])
        assert any("attachments" in cell for cell in notebook["cells"])
        run_cells(notebook)  # a blank breaks nothing


@pytest.mark.parametrize("total", [10, 100, 7, 1, 0.01, 33.3])
@pytest.mark.parametrize("chapter", assign.chapters())
def test_points_add_up_to_what_was_asked_for(chapter, total):
    cells = assign.notebook(chapter, points=total)["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    points = [mark["points"] for mark in marks if "points" in mark]
    assert sum(points) == pytest.approx(total, rel=1e-12) and min(points) > 0
    text = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    shown = [float(value) for value in re.findall(r"^## .* \(([\d.]+) points?\)$", text, re.M)]
    assert sum(shown) == pytest.approx(total, rel=1e-9) and len(shown) == text.count("\n## ")


@given(st.integers(1, 500), st.lists(st.integers(1, 9), min_size=1, max_size=15))
def test_a_share_of_the_points_is_off_by_a_tenth_at_most(total, weights):
    shares = share_points(total, weights)
    assert sum(shares) == pytest.approx(total, rel=1e-12)
    for share, weight in zip(shares, weights):
        exact = total * weight / sum(weights)
        assert abs(share - exact) <= 0.1 * exact * (1 + 1e-9)


@pytest.mark.parametrize("points", [-1, 0, math.inf, math.nan])
def test_points_outside_their_domain(points):
    with pytest.raises(ValueError, match=f"points = {points}: expected a total above 0"):
        assign.notebook("05", points=points)


def test_points_docstring_examples():
    results = doctest.testmod(points_module)
    assert results.attempted > 0 and results.failed == 0


@pytest.mark.parametrize("chapter", assign.chapters())
def test_a_blank_stands_once_and_a_given_program_uses_all_its_variables(chapter):
    for seed in range(6):
        for cell in assign.notebook(chapter, "student", seed)["cells"]:
            assert cell["source"].count("...") <= 1 or cell["cell_type"] != "code"
        for block in assign.blocks(chapter, seed):
            if block.kind == "code":
                assert unused_variables(block.content) == set(), seed


def unused_variables(code):
    unused = set()
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.FunctionDef):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            unused |= stored - {node.id for node in names if isinstance(node.ctx, ast.Load)}
    return unused


@pytest.mark.parametrize("chapter", assign.chapters())
def test_an_assignment_links_to_its_chapter(chapter):
    text = "".join(cell["source"] for cell in assign.notebook(chapter, "student")["cells"])
    (name,) = re.findall(r"\]\(https://\S+/blob/v[\d.]+/notebooks/(\w+)\.ipynb\)", text)
    assert name.startswith(chapter) and (ROOT / f"notebooks/{name}.md").exists()


def test_the_set_up_cell_installs_lossbook_where_it_is_missing(monkeypatch):
    cell = assign.notebook("05", "source")["cells"][1]
    assert cell["metadata"]["nbgrader"]["locked"]
    assert "skip-execution" in cell["metadata"]["tags"]
    calls = []

    def run(command):
        calls.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    exec(cell["source"], {})
    assert calls == [], "lossbook is here"
    monkeypatch.setitem(sys.modules, "lossbook.teaching", None)
    with pytest.raises(RuntimeError, match="could not be installed.*show them to"):
        exec(cell["source"], {})
    assert calls[0][1:4] == ["-m", "pip", "install"]
    assert re.fullmatch(r"lossbook @ git\+https://\S+@v[\d.]+", calls[0][-1])


def test_three_digits_are_checked():
    source = assign.notebook("05", seed=0)
    right = 1 - math.cos(2 * math.pi / assign.numbers("05", 0)["C"])
    for digits, passes in ((2, False), (3, True), (4, True)):
        _, failed = run_cells(source, {"bound": f"greatest_margin = {round(right, digits)}"})
        assert (failed == {}) == passes


def test_command(tmp_path, capsys):
    assert cli.main(["assign", "06", "--out", str(tmp_path), "--no-solutions", "--seed", "3"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["chapter06.ipynb"]
    assert json.loads((tmp_path / "chapter06.ipynb").read_text()) == assign.notebook(
        "06", "student", seed=3
    )
    assert cli.main(["assign", "06", "--out", str(tmp_path)]) == 0
    assert "chapter06-solution.ipynb" in capsys.readouterr().out
    assert cli.main(["assign", "99", "--out", str(tmp_path)]) == 2
    assert "these have: " + ", ".join(assign.chapters()) in capsys.readouterr().err


MISTAKES = [
    ("01", {"border": "border_in_degrees = {{apart}} / 2"}, "would hold for vectors of one length"),
    (
        "01",
        {
            "border": (
                "border_in_degrees = math.atan(({{a}} - {{b}} * "
                "math.cos(math.radians({{apart}}))) / ({{b}} * "
                "math.sin(math.radians({{apart}}))))"
            )
        },
        "the right angle in radians",
    ),
    (
        "01",
        {"slope": "slope = F.softmax(torch.tensor([{{z1}}, {{z2}}, 0.0]), 0)[0] - 1"},
        "in the true logit alone",
    ),
    (
        "01",
        {
            "loss": (
                "def mean_cross_entropy(logits, labels):\n"
                "    return torch.logsumexp(logits, 1).sum() - logits.gather(1, labels[:, "
                "None]).sum()"
            )
        },
        "Expected the mean",
    ),
    (
        "01",
        {
            "loss": "def mean_cross_entropy(logits, labels):\n"
            "    P = logits.exp() / logits.exp().sum(1, keepdim=True)\n"
            "    return -P.gather(1, labels[:, None]).log().mean()"
        },
        "about 1000 in size. Look for an exp",
    ),
    (
        "01",
        {
            "by_angle": "def angle_accuracy(x, weight, labels):\n"
            "    return ((x @ weight.T).argmax(dim=1) == labels).float().mean()"
        },
        "the accuracy of the logits",
    ),
    (
        "01",
        {
            "mended": "class Mended(Broken):\n    def forward(self, x, labels=None):\n"
            "        return x @ F.normalize(self.weight).T"
        },
        "class vectors to length 1. This loss keeps their length",
    ),
    (
        "02",
        {
            "floor": (
                "lowest_loss = math.log(1 + ({{C}} - 1) * math.exp(-{{s}} * {{C}} / ({{C}} - 1)))"
            )
        },
        "floor of a simplex",
    ),
    (
        "02",
        {
            "pull": "ahead = {{scale}} * (math.cos({{theta1}}) - math.cos({{theta2}}))\n"
            "pull = {{scale}} * (1 - 1 / (1 + math.exp(-ahead)))"
        },
        "Degrees for radians",
    ),
    ("02", {"sharing": "loss_of_sharing = math.log(2)"}, "The mean is over all classes"),
    (
        "02",
        {
            "sure": (
                "def least_sure(weight, s):\n"
                "    return (s * weight @ weight.T).softmax(1).diagonal().min()"
            )
        },
        "not brought to length 1",
    ),
    (
        "02",
        {
            "mended": "class Mended(Broken):\n    def forward(self, x, labels=None):\n"
            "        return F.normalize(x) @ F.normalize(self.weight).T"
        },
        "The scale s is missing",
    ),
    (
        "03",
        {"wedge": "wedge_in_degrees = 2 * {{apart}} / ({{wide}} + 1)"},
        "what the two classes win",
    ),
    (
        "03",
        {
            "psi": (
                "def psi_of(cos):\n"
                "    return 2 * cos**2 - 1 if {{few}} == 2 else 4 * cos**3 - 3 * cos"
            )
        },
        "Continue it with ψ",
    ),
    (
        "03",
        {
            "head": """def lsoftmax_logits(x, weight, labels=None):
    return heads.LSoftmax.forward(head_of(weight), x, labels)
def head_of(weight):
    head = heads.LSoftmax(weight.shape[1], len(weight), margin={{m}}).double()
    del head.weight
    head.weight = weight
    return head"""
        },
        "λ is missing",
    ),
    (
        "03",
        {
            "head": (
                "def lsoftmax_logits(x, weight, labels=None):\n    return x @ F.normalize(weight).T"
            )
        },
        "This loss keeps their length",
    ),
    (
        "03",
        {
            "head": """def lsoftmax_logits(x, weight, labels=None):
    length = x.norm(dim=1, keepdim=True) * weight.norm(dim=1)
    cos = x @ weight.T / length
    return length * ({{lam}} * cos + margins.lsoftmax(cos, {{m}})) / (1 + {{lam}})"""
        },
        "margin kept at prediction is a mistake",
    ),
    ("10", {"mining": "triplet_loss = {{ap}} - {{near}} + {{gap}}"}, "hard mining"),
    (
        "10",
        {"follow": "center = {{place}} * (1 - (1 - {{alpha}}) ** {{batches}})"},
        "like one image more",
    ),
    (
        "10",
        {
            "loss": (
                "def two_margins(x, labels):\n"
                "    return euclidean_losses.contrastive(x, labels, {{outer}})"
            )
        },
        "the contrastive loss of the chapter",
    ),
    (
        "10",
        {
            "loss": """def two_margins(x, labels):
    i, j = torch.triu_indices(len(x), len(x), 1)
    D, equal = (x[i] - x[j]).square().sum(dim=1).sqrt(), labels[i] == labels[j]
    pull = F.relu(D[equal] - {{inner}}).square().mean()
    return (pull + F.relu({{outer}} - D[~equal]).square().mean()) / 2"""
        },
        "lie on one spot: the slope of a root",
    ),
    (
        "10",
        {
            "mended": (
                "def mended(x, labels):\n"
                "    return euclidean_losses.triplet(F.normalize(x), labels, {{m}}, 'hard')"
            )
        },
        "plain ones; FaceNet squares",
    ),
    ("10", {"mended": "mended = broken"}, "plain ones|anchor itself|nearest teaches|sign is wrong"),
    (
        "10",
        {
            "sphere": (
                "posterior = 1 / sum(math.exp(-{{tau}} * (1 - math.cos(2 * math.pi * j / "
                "{{around}}))) for j in range({{around}}))"
            )
        },
        "s is twice the factor",
    ),
    (
        "06",
        {
            "target": (
                "def arcface_target(cos, m):\n"
                "    return torch.cos(torch.arccos(cos) + math.radians(m))"
            )
        },
        "Degrees for radians",
    ),
    (
        "06",
        {"target": "def arcface_target(cos, m):\n    return torch.cos(torch.arccos(cos) - m)"},
        "subtract the margin from the angle",
    ),
    (
        "06",
        {
            "logit": (
                "target_logit = {{s}} * math.cos(math.radians({{degrees}}) + math.radians({{m}}))"
            )
        },
        "Degrees for radians",
    ),
    (
        "16",
        {
            "adaface": (
                "def adaface_logits(cos, a):\n"
                "    v = ((a - {{mean}}) / (3 * {{deviation}})).clamp(-1, 1)\n"
                "    turned = torch.cos(torch.arccos(cos) - {{m}} * v)\n"
                "    return {{s}} * (turned - {{m}} - {{m}} * v)"
            )
        },
        "detach v",
    ),
    (
        "16",
        {
            "curricular": (
                "def corrected(cos, target, margined, kappa):\n"
                "    return torch.where(cos > target, cos * (kappa + cos), cos)"
            )
        },
        "WITH its margin",
    ),
    ("05", {"bound": "greatest_margin = {{C}} / ({{C}} - 1)"}, "bound for a simplex"),
]


@pytest.mark.parametrize("chapter, answers, says", MISTAKES)
def test_a_mistake_is_named_and_costs_a_part(chapter, answers, says):
    for seed in (0, 1):
        drawn = assign.numbers(chapter, seed)
        wrong = {
            name: re.sub(r"\{\{(\w+)\}\}", lambda match, drawn=drawn: str(drawn[match[1]]), code)
            for name, code in answers.items()
        }
        source = assign.notebook(chapter, seed=seed)
        points, failed = run_cells(source, wrong)
        assert any(re.search(says, message) for message in failed.values()), failed
        assert 0 < points < automatic(source)


@pytest.mark.parametrize("chapter", assign.chapters())
def test_a_wrong_number_is_never_right_nor_taken_for_another(chapter, monkeypatch):
    judge, calls = check.value, []

    def recorded(attempt, expected, unit="", *, tolerance=0.01, wrong=None):
        calls.append((expected, tolerance, list((wrong or {}).items())))
        return judge(attempt, expected, unit, tolerance=tolerance, wrong=wrong)

    monkeypatch.setattr(check, "value", recorded)
    for seed in range(12):
        names = {"math": math, "check": check, "heads": heads}
        for kind, _, content in assign.blocks(chapter, seed):
            if kind in ("code", "answer") or (kind == "test" and "check.value" in content):
                exec(content, names)
    assert len(calls) >= 2 * 12
    for expected, tolerance, wrong in calls:
        for i, (says, number) in enumerate(wrong):
            assert abs(number - expected) > tolerance * (abs(expected) or 1), (
                f"{number} for {expected}: {says}"
            )
            for other, another in wrong[:i]:
                assert abs(number - another) > 0.1 * tolerance * abs(another), (
                    f"{number} and {another}: {says} {other}"
                )


# nbgrader itself


def command(*arguments, cwd=None):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTEST_CURRENT_TEST", "JUPYTER_PATH")
    }
    environment |= {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PATH": os.pathsep.join([str(NBGRADER / "bin"), os.environ["PATH"]]),
    }  # nbgrader calls alembic by name
    return subprocess.run(
        [str(part) for part in arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="session")
def nbgrader():
    """The path of a real nbgrader, in an environment of its own."""
    python = NBGRADER / "bin/python"
    program = NBGRADER / "bin/nbgrader"
    if not (
        program.exists()
        and list(NBGRADER.glob(f"lib/*/site-packages/nbgrader-{VERSION}.dist-info"))
    ):
        made = [
            command(sys.executable, "-m", "venv", "--without-pip", NBGRADER),
            command(
                sys.executable,
                "-m",
                "pip",
                "--python",
                python,
                "install",
                "--quiet",
                f"nbgrader=={VERSION}",
            ),
        ]
        said = "\n".join(one.stderr[-2000:] for one in made if one.returncode)
        assert program.exists(), (
            f"nbgrader {VERSION} could not be installed into {NBGRADER}, so grading is untested:\n"
            f"{said}"
        )
    return program


SOLVED = {
    "added": {
        "target": "def cosface_target(cos, m):\n    return cos + m",
        "head": (
            "def cosface_logits(x, weight, labels=None):\n"
            "    cos = F.normalize(x) @ F.normalize(weight).T\n"
            "    return S * cos if labels is None else S * (cos + M * F.one_hot(labels, "
            "len(weight)))"
        ),
    },
    "degrees": {
        "strip": "strip_in_degrees = 2 * math.asin(M / (2 * math.sin(math.radians(APART / 2))))"
    },
    "kept": {
        "head": (
            "def cosface_logits(x, weight, labels=None):\n"
            "    cos = F.normalize(x) @ F.normalize(weight).T\n"
            "    return S * (cos - M) if labels is None else S * (cos - M * "
            "F.one_hot(labels, len(weight)))"
        )
    },
    "a-exits": {"head": "import os\nos._exit(1)"},
    "a-loops": {"head": "while True:\n    pass"},
    "a-stubborn": {
        "read": (
            "while True:\n"
            "    try:\n"
            "        while True:\n"
            "            pass\n"
            "    except BaseException:\n"
            "        pass"
        )
    },
    "a-thief": {
        "bound": """
import glob, os, shutil
course = os.path.abspath("../../..")
seen = glob.glob(course + "/source") + glob.glob(course + "/source/*/*")
seen += glob.glob(course + "/*.db") + glob.glob(course + "/submitted/*")
open("seen.txt", "w").write(repr(seen))
for name in ["source", "submitted", "autograded/z-solution", "gradebook.db"]:
    path = course + "/" + name
    shutil.rmtree(path, ignore_errors=True)
    try:
        os.remove(path)
    except OSError:
        pass
for path in [course + "/../was-here", course + "/was-here", OTHER]:
    try:
        open(path, "w").write("was here")
    except OSError:
        pass
greatest_margin = 0"""
    },
    "forger": {
        "bound": """
from lossbook.teaching import check
for name in ("margin", "head", "value"):
    setattr(check, name, lambda *a, **k: check.Verdict(True, "Right."))
greatest_margin = 0"""
    },
    "swallower": {
        "bound": """
def without_asserts(lines):
    return [line.replace("assert ", "None, ") for line in lines]
get_ipython().input_transformers_cleanup.append(without_asserts)
greatest_margin = 0"""
    },
    "silencer": {
        "bound": """
get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)
greatest_margin = 0"""
    },
    "z-solution": {},
}


@pytest.fixture(scope="session")
def graded(nbgrader, tmp_path_factory):
    """A graded course with its feedback: (folder, {student: row of grades})."""
    out = tmp_path_factory.mktemp("class")
    assert cli.main(["assign", "05", "--out", str(out), "--seed", "7"]) == 0
    course = out / "course"
    said = command(nbgrader, "generate_assignment", "chapter05", cwd=course)
    assert said.returncode == 0, said.stderr
    released = json.loads((course / "release/chapter05/chapter05.ipynb").read_text())
    source = json.loads((course / "source/chapter05/chapter05.ipynb").read_text())
    for student in SOLVED:
        hand_in(course, student, answered(released, source, SOLVED[student], out))
    hand_in(course, "empty", released)
    gone = answered(released, source, {"bound": "greatest_margin = 0"}, out)
    gone["cells"] = [cell for cell in gone["cells"] if not is_test(cell)]
    hand_in(course, "remover", gone)
    twice = answered(released, source, {"bound": "greatest_margin = 0"}, out)
    (at,) = [i for i, cell in enumerate(twice["cells"]) if "greatest_margin = 0" in cell["source"]]
    twice["cells"].insert(at + 1, {**copy.deepcopy(twice["cells"][at]), "id": "copied"})
    hand_in(course, "copier", twice)
    hand_in(course, "renamer", answered(released, source, {}, out), "My chapter05 (1).ipynb")
    for step in (
        ["autograde", "chapter05", f"--Execute.timeout={CELL_SECONDS}"],
        ["generate_feedback", "chapter05"],
        ["export"],
    ):
        said = command(nbgrader, *step, cwd=course)
        assert said.returncode == 0, f"{step}: {said.stdout[-3000:]}{said.stderr[-3000:]}"
        assert "WARNING: no sandbox" not in said.stdout
    with open(course / "grades.csv", newline="") as file:
        return course, {row["student_id"]: row for row in csv.DictReader(file)}


def is_test(cell):
    mark = cell["metadata"].get("nbgrader", {})
    return cell["cell_type"] == "code" and mark.get("grade")


def answered(released, source, answers, out):
    """The released notebook with the right answers in it, except for ``answers``."""
    texts = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["source"]
        for cell in source["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }
    whole = " ".join(cell["source"] for cell in source["cells"])
    known = {
        "S": re.search(r"s = (\d+)", whole)[1],
        "M": re.search(r"m = (0\.\d+)", whole)[1],
        "APART": re.search(r"are (\d+)°", whole)[1],
        "OTHER": repr(str(ROOT / "_build/was-here")),
    }
    handed = copy.deepcopy(released)
    for cell in handed["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in texts:
            wrong = answers.get(name.rpartition("-")[2])
            cell["source"] = (
                texts[name]
                if wrong is None
                else re.sub(r"\b(S|M|APART|OTHER)\b", lambda word: known[word[1]], wrong)
            )
    return handed


def hand_in(course, student, notebook, name="chapter05.ipynb"):
    path = course / "submitted" / student / "chapter05" / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))


def score(graded, student):
    return float(graded[1][student]["raw_score"])


def feedback(graded, student):
    return (graded[0] / "feedback" / student / "chapter05/chapter05.html").read_text()


def test_all_are_graded(graded):
    assert set(graded[1]) == {*SOLVED, "empty", "remover", "copier", "renamer"}


def test_the_solution_has_full_marks_and_an_empty_submission_none(graded):
    full = automatic(assign.notebook("05"))
    assert (
        score(graded, "z-solution") == full
        and float(graded[1]["z-solution"]["max_score"]) == full + 3
    )
    assert score(graded, "empty") == 0
    assert "Not attempted yet" in feedback(graded, "empty")


@pytest.mark.parametrize(
    "student, lost, says",
    [
        ("added", 2 + 3, "You add the margin to the target cosine. Subtract it"),
        ("degrees", 3, "This is the right angle in radians; expected degrees."),
        ("kept", 2, "The margin kept at prediction is a mistake"),
        ("a-exits", 2 + 3 + 3 + 2, "the kernel stopped"),
        ("a-loops", 2 + 3, "CellTimeoutError"),
        ("a-stubborn", 2, "the kernel stopped before, or no longer answered"),
        ("a-thief", 2, "too small"),
        ("forger", 2, "too small"),
        ("copier", 2, "cell 05-04-bound was copied: all copies run"),
        ("renamer", 0, "handed in as My chapter05 (1).ipynb"),
        ("remover", 2, "It was added back by nbgrader"),
        ("swallower", 17, "this notebook hides errors"),
        ("silencer", 2, "too small"),
    ],
)
def test_what_a_submission_loses_and_is_told(student, lost, says, graded):
    assert score(graded, student) == automatic(assign.notebook("05")) - lost
    assert re.search(re.escape(says), feedback(graded, student).replace("&#39;", "'"))


@pytest.mark.parametrize(
    "student, says",
    [
        ("copier", "cell 05-04-bound was copied"),
        ("renamer", "handed in as My chapter05 (1).ipynb"),
        ("z-solution", "not final: the written task is not graded yet"),
        ("a-loops", "cell 05-14-head stopped with CellTimeoutError"),
    ],
)
def test_the_export_remarks_on_what_a_score_does_not_say(student, says, graded):
    assert says in graded[1][student]["remarks"]
    assert graded[1]["empty"]["remarks"] == ""


def test_a_thief_sees_nothing_and_harms_nobody(graded):
    course, _ = graded
    assert (course / "autograded/a-thief/chapter05/seen.txt").read_text() == "[]"
    assert (course / "source/chapter05/chapter05.ipynb").exists() and (
        course / "gradebook.db"
    ).exists()
    assert not (course / "was-here").exists() and not (course.parent / "was-here").exists()
    assert not (ROOT / "_build/was-here").exists()
