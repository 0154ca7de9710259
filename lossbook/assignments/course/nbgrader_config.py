"""nbgrader's settings for this course: where a submission runs, for how long, and what becomes of one that misbehaves."""

import os
import secrets
import subprocess
from pathlib import Path

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_output
from nbgrader.preprocessors import Execute

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path.cwd()


class Careful(Execute):
    """Execute that outlives a kernel, and that gives no points in a notebook which hides its errors."""

    def preprocess_cell(self, cell, resources, index):
        grade = cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
        try:
            if grade and not self._errors_show(index):
                return self._failed(cell, "HiddenErrors", "this notebook hides errors, so its tests prove nothing"), resources
            return super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
            return self._failed(cell, type(error).__name__, "the kernel stopped here or before, or no longer answers"), resources

    def _errors_show(self, index):
        """Whether an assertion that fails still shows as an error in this kernel."""
        word = secrets.token_hex(8)
        canary = self.execute_cell(new_code_cell(f"assert not {word!r}, {word!r}"), index, store_history=False)
        return any(output.output_type == "error" and word in output.evalue for output in canary.outputs)

    def _failed(self, cell, name, says):
        if cell.cell_type == "code":
            cell.outputs = [new_output("error", ename=name, evalue=says, traceback=[f"{name}: {says}"])]
        return cell


c = get_config()                                    # noqa: F821  (nbgrader provides it)
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.course_id = "lossbook"
c.ClearSolutions.code_stub = {"python": "...  # your answer here"}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.OverwriteCells.add_missing_cells = True           # a test that a student deleted is put back
c.Autograde.autograde_preprocessors = [
    Careful, *(f"nbgrader.preprocessors.{name}" for name in ("IgnorePattern",)),
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    *(f"nbgrader.preprocessors.{name}" for name in ("LimitOutput", "SaveAutoGrades", "AssignLatePenalties",
                                                    "CheckCellMetadata"))]
c.Execute.timeout = 60                              # seconds a cell
c.ExportApp.plugin_class = "nbgrader.plugins.CsvExportPlugin"

# A submission sees its own folder of the course and writes nowhere else, where Linux lets us arrange that.
os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("JUPYTER_PATH")]))
user = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["--user", "--map-root-user"]
try:
    subprocess.run(["unshare", *user, "--mount", "setpriv", "--no-new-privs", "true"], check=True, capture_output=True)
    c.Careful.kernel_name = "lossbook"
except (OSError, subprocess.CalledProcessError):
    print("WARNING: no sandbox here (it needs Linux with unshare and setpriv): a submission can read and write whatever "
          "you can. Grade in a container.")
