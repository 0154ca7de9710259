"""nbgrader's settings for this course.

Where a submission runs, for how long, and what happens to one that misbehaves.
"""

import os
import secrets
import signal
import subprocess
from pathlib import Path

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.preprocessors import Execute, OverwriteCells

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


def fail(cell, name, message):
    traceback = [f"{name}: {message}"]
    cell.outputs = [new_output("error", ename=name, evalue=message, traceback=traceback)]


c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.course_id = "lossbook"
c.ClearSolutions.code_stub = {"python": "...  # your answer here"}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.PutBack.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    *(
        f"nbgrader.preprocessors.{name}"
        for name in ("ClearOutput", "DeduplicateIds", "OverwriteKernelspec")
    ),
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
