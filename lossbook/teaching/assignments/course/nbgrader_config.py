"""nbgrader's settings for this course.

Where a submission runs, for how long, and what happens to one that misbehaves.
"""

import csv
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, read
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import MissingEntry
from nbgrader.plugins import CsvExportPlugin
from nbgrader.preprocessors import Execute, NbGraderPreprocessor, OverwriteCells

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()


class Careful(Execute):
    """Execute that outlives a kernel, and gives no points in a notebook that hides its errors."""

    def preprocess(self, nb, resources=None, km=None):
        self.gone = False
        return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code":
            return cell, resources
        try:
            if self.gone:
                fail(cell, "NoKernel", "the kernel stopped before, or no longer answered")
            elif cell.metadata.get("nbgrader", {}).get("grade") and not self.errors_show(index):
                fail(cell, "HiddenErrors", "this notebook hides errors, so its tests prove nothing")
            else:
                super().preprocess_cell(cell, resources, index)
                if any(
                    output.get("ename") == "CellTimeoutError" for output in cell.outputs
                ) and not self.errors_show(index):
                    # It was interrupted, and goes on all the same.
                    run_sync(self.km.signal_kernel)(signal.SIGKILL)
                    self.gone = True
        except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
            self.gone = True
            fail(cell, type(error).__name__, "the kernel stopped here, or no longer answers")
        finally:
            self.nb.cells[index] = cell  # where the canary of errors_show has stood
        return cell, resources

    def errors_show(self, index):
        """Whether an assertion that fails shows as an error in this kernel, within ten seconds."""
        word, timeout = secrets.token_hex(8), self.timeout
        self.timeout = min(10, timeout)
        try:
            canary = self.execute_cell(
                new_code_cell(f"assert not {word!r}, {word!r}"), index, store_history=False
            )
        finally:
            self.timeout = timeout
        return any(
            output.output_type == "error" and word in output.evalue for output in canary.outputs
        )


class PutBack(OverwriteCells):
    """OverwriteCells that puts deleted tests and questions at the end of the notebook.

    nbgrader's own way looks for the cell before, and stops if that is neither test nor answer.
    """

    def add_missing_grade_cells(self, nb, resources):
        present = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells}
        released = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        sources = {cell.name: cell for cell in released.source_cells}
        answers = {cell.name for cell in released.solution_cells}
        for grade in released.grade_cells:
            if grade.name not in present:
                cell = self.missing_cell_transform(
                    sources[grade.name], grade.max_score, is_solution=grade.name in answers
                )
                nb.cells.append(NotebookNode({**cell, "id": grade.name}))
        return nb, resources


class Remarks(NbGraderPreprocessor):
    """Tells what is unusual in a submission, at its top and in the metadata for the export.

    A copy of a marked cell becomes a cell without marks: it runs where it stands, and the mark is
    the last one's. (nbgrader's DeduplicateIds leaves a mark without a name, and then stops.)
    """

    def preprocess(self, nb, resources):
        student, assignment = resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]
        remarks = other_notebooks(HERE / "submitted" / student / assignment, assignment)
        names = set()
        for cell in reversed(nb.cells):
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in names:
                del cell.metadata["nbgrader"]
                if cell.cell_type == "code":
                    cell.source = f"# copy of {name}\n{cell.source}"
                remarks.append(f"cell {name} was copied: all copies run, in their order")
            elif name is not None:
                names.add(name)
        if not names:
            remarks.append("no cell of the assignment is in this notebook")
        if remarks:
            self.log.warning("%s, %s: %s", student, assignment, "; ".join(remarks))
            nb.cells.insert(0, new_markdown_cell(f"**Remarks.** {'; '.join(remarks)}."))
            nb.metadata["remarks"] = remarks
        return nb, resources


class Export(CsvExportPlugin):
    """grades.csv with a column of remarks: why a score is what it is, or not final."""

    def export(self, gradebook):
        super().export(gradebook)
        path = Path(self.to or "grades.csv")
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["remarks"] = "; ".join(
                self.remarks(gradebook, row["assignment"], row["student_id"])
            )
        if rows:
            with open(path, "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)

    def remarks(self, gradebook, assignment, student):
        folder = HERE / "submitted" / student / assignment
        if not folder.exists():
            return ["nothing handed in"]
        graded = HERE / "autograded" / student / assignment / f"{assignment}.ipynb"
        if not graded.exists():
            return ["not graded: autograde stopped", *other_notebooks(folder, assignment)]
        nb = read(graded, as_version=4)
        remarks = list(nb.metadata.get("remarks", []))
        for cell in nb.cells:
            mark = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and mark.get("solution"):
                remarks += [
                    f"cell {mark['grade_id']} stopped with {output.ename}"
                    for output in cell.outputs
                    if output.output_type == "error"
                ]
        try:
            if gradebook.find_submission(assignment, student).needs_manual_grade:
                remarks.append("not final: the written task is not graded yet")
        except MissingEntry:
            remarks.append("not graded: autograde stopped")
        return remarks


def other_notebooks(folder, assignment):
    """What there is to say about the notebooks of a submission beside ``ASSIGNMENT.ipynb``."""
    graded = folder / f"{assignment}.ipynb"
    content = graded.read_bytes() if graded.exists() else None
    return [
        f"handed in as {path.name}"
        if path.read_bytes() == content
        else f"{path.name} was handed in too, and is not graded"
        for path in sorted(folder.glob("*.ipynb"))
        if path != graded
    ]


def take_renamed(assignment, student, notebooks):
    """Give the only notebook of a submission, if it was renamed, its right name: a copy.

    nbgrader calls this before each submission, and grades what is then in ``notebooks``.
    """
    folder = Path(notebooks[0]).parent
    right = folder / f"{folder.name}.ipynb"
    if len(notebooks) == 1 and not right.exists():
        shutil.copyfile(notebooks[0], right)
        notebooks[:] = [str(right)]


def fail(cell, name, message):
    traceback = [f"{name}: {message}"]
    cell.outputs = [new_output("error", ename=name, evalue=message, traceback=traceback)]


c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.course_id = "lossbook"
c.ClearSolutions.code_stub = {"python": ""}  # the blank stands before the solution
c.ClearSolutions.text_stub = "*Your answer here.*"
c.PutBack.add_missing_cells = True
c.Autograde.pre_convert_hook = take_renamed
c.ExportApp.plugin_class = Export
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    Remarks,
    "nbgrader.preprocessors.OverwriteKernelspec",
    PutBack,
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    Careful,
    *(
        f"nbgrader.preprocessors.{name}"
        for name in (
            "IgnorePattern",
            "LimitOutput",
            "SaveAutoGrades",
            "AssignLatePenalties",
            "CheckCellMetadata",
        )
    ),
]
c.Execute.timeout = 60  # seconds a cell

# Where Linux allows it, a submission sees only its own folder, and writes nowhere else.
os.environ["JUPYTER_PATH"] = os.pathsep.join(
    filter(None, [str(HERE), os.environ.get("JUPYTER_PATH")])
)
user = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["--user", "--map-root-user"]
try:
    subprocess.run(
        ["unshare", *user, "--mount", "setpriv", "--no-new-privs", "true"],
        check=True,
        capture_output=True,
    )
    c.Careful.kernel_name = "lossbook"
except (OSError, subprocess.CalledProcessError):
    print(
        "WARNING: no sandbox here (it needs Linux with unshare and setpriv): a submission can read "
        "and write whatever you can. Grade in a container."
    )
