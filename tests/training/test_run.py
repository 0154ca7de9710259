"""The Run on disk: what is saved is loaded, and other files are refused."""

import errno
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from lossbook import training
from tests.helpers.toys import assert_same_run, train


def test_a_run_survives_saving_and_loading(tmp_path):
    run = train()
    run.save(tmp_path / "a.npz")
    back = training.Run.load(tmp_path / "a.npz")
    assert_same_run(run, back)
    pd.testing.assert_frame_equal(run.history, back.history, check_exact=True)
    assert (back.name, back.classes, back.config) == (run.name, run.classes, run.config)
    assert (
        np.array_equal(back.train_labels, run.train_labels) and back.test_labels.dtype == np.int64
    )
    np.load(tmp_path / "a.npz", allow_pickle=False)["about"]  # no pickle inside


def rewrite(path, change):
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    about = json.loads(str(arrays["about"]))
    change(about)
    np.savez_compressed(path, **{**arrays, "about": json.dumps(about)})


def test_another_version_of_the_format_is_refused(tmp_path):
    train().save(tmp_path / "a.npz")
    rewrite(tmp_path / "a.npz", lambda about: about.update(format=99))
    with pytest.raises(training.RunFileError, match="format 99, this lossbook reads format 1"):
        training.Run.load(tmp_path / "a.npz")


@pytest.mark.parametrize("harm", ["truncate", "text", "foreign", "snapshots", "epochs"])
def test_files_that_are_no_run_are_refused(tmp_path, harm):
    path = tmp_path / "a.npz"
    train().save(path)
    if harm == "truncate":
        path.write_bytes(path.read_bytes()[:-200])
    elif harm == "text":
        path.write_text("hello")
    elif harm == "snapshots":
        with np.load(path) as stored:
            np.savez(path, **{key: stored[key] for key in stored.files if key != "snapshot_weight"})
    elif harm == "epochs":
        rewrite(
            path, lambda about: about.update(history={"epoch": [*about["history"]["epoch"], 9]})
        )
    else:
        np.savez(path, x=np.arange(3))
    with pytest.raises(training.RunFileError, match="not a saved Run or is damaged"):
        training.Run.load(path)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="no run at nowhere.npz"):
        training.Run.load("nowhere.npz")


def test_no_space_left_keeps_the_former_file(tmp_path):
    """The kernel refuses the write (a file size limit, in a child process): the old run stays."""
    path = tmp_path / "a.npz"
    run = train()
    run.save(path)
    script = textwrap.dedent(f"""
        import resource, signal
        from lossbook import training
        run = training.Run.load({str(path)!r})
        run.name = "changed"
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            run.save({str(path)!r})
        except OSError as error:
            print(error.errno, error)
    """)
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert (
        output.startswith(str(errno.EFBIG))
        and "could not save" in output
        and "former file is unchanged" in output
    )
    assert training.Run.load(path).name == run.name
    assert os.listdir(tmp_path) == ["a.npz"]
