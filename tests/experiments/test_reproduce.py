"""Reproduce: rows are trained once, resumed, and checked against what is saved."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lossbook import backbones, training
from lossbook.cli import main as cli
from lossbook.experiments import reproduce, results
from lossbook.utils import records
from tests.helpers.records import RECIPE, reproduce_on_toys
from tests.helpers.toys import tiny_backbone, toy_dataset

ROOT = Path(__file__).parents[2]


def test_a_finished_row_is_not_trained_again(tmp_path, monkeypatch):
    first = reproduce_on_toys(tmp_path, ["softmax", "ArcFace_v1_s8"])
    monkeypatch.setattr(reproduce, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert reproduce_on_toys(tmp_path, ["softmax", "ArcFace_v1_s8"]) == first
    names = sorted(path.name for path in (tmp_path / "toy-2d").iterdir())
    assert names == [
        "ArcFace_v1_s8-seed0.json",
        "ArcFace_v1_s8-seed0.npz",
        "softmax-seed0.json",
        "softmax-seed0.npz",
    ]


def test_the_run_of_the_first_seed_alone_is_saved(tmp_path):
    reproduce_on_toys(tmp_path, ["softmax"], seeds=3)
    names = sorted(path.name for path in (tmp_path / "toy-2d").iterdir())
    records_of_seeds = [f"softmax-seed{seed}.json" for seed in range(3)]
    assert names == sorted([*records_of_seeds, "softmax-seed0.npz"])


def test_the_saved_run_is_the_one_measured(tmp_path):
    (record,) = reproduce_on_toys(tmp_path, ["ArcFace_v3"])
    run = training.Run.load(tmp_path / "toy-2d" / "ArcFace_v3-seed0.npz")
    assert run.history.test_acc.tolist() == record["history"]["test_acc"]
    assert run.config["data_sha256"] == reproduce.checksums(toy_dataset())


def test_another_recipe_or_other_images_are_refused(tmp_path):
    reproduce_on_toys(tmp_path, ["softmax"])
    with pytest.raises(ValueError, match="was made with epochs = 3, now epochs = 4"):
        reproduce_on_toys(tmp_path, ["softmax"], epochs=4)
    with pytest.raises(ValueError, match="with precision = float32, now precision = bfloat16"):
        reproduce_on_toys(tmp_path, ["softmax"], precision="bfloat16")
    other = toy_dataset(seed=1)
    with pytest.raises(ValueError, match="other images"):
        reproduce.reproduce(
            ["softmax"], other, lambda d: tiny_backbone(), folder=tmp_path, **RECIPE
        )


def test_another_network_is_refused(tmp_path):
    reproduce_on_toys(tmp_path, ["softmax"])
    for wider in (
        backbones.ConvNet,
        lambda d: backbones.LeNetPP(d, widths=(4, 4, 9), kernel_size=3),
    ):
        with pytest.raises(
            ValueError,
            match="was made with LeNetPP and 1,[0-9]+ weights, here are (ConvNet|LeNetPP) and",
        ):
            reproduce.reproduce(["softmax"], toy_dataset(), wider, folder=tmp_path, **RECIPE)
        with pytest.raises(ValueError, match="was made with LeNetPP"):
            reproduce.check("softmax", toy_dataset(), wider, folder=tmp_path)


def test_a_margin_that_the_loss_cannot_take_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ValueError, match="m = 4.0|margin"):
        reproduce_on_toys(tmp_path, ["softmax", "ArcFace_m4"])
    assert not (tmp_path / "toy-2d").exists()


def test_killed_and_started_again_it_comes_to_the_same(tmp_path):
    """A real kill -9 after the second row's first epoch; then the same call goes on."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        from lossbook.training.checkpoint import Checkpoint
        from tests.helpers.records import reproduce_on_toys
        save, saved = Checkpoint.save, []
        def save_and_die(self):
            save(self)
            saved.append(self.path.name)
            if saved.count("ArcFace_v1-seed0.checkpoint") == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        Checkpoint.save = save_and_die
        reproduce_on_toys({str(tmp_path / "killed")!r}, ["softmax", "ArcFace_v1"])
    """)
    died = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert died.returncode == -signal.SIGKILL
    left = sorted(path.name for path in (tmp_path / "killed" / "toy-2d").iterdir())
    assert left == ["ArcFace_v1-seed0.checkpoint", "softmax-seed0.json", "softmax-seed0.npz"]
    whole, again = (
        reproduce_on_toys(tmp_path / "whole", ["softmax", "ArcFace_v1"]),
        reproduce_on_toys(tmp_path / "killed", ["softmax", "ArcFace_v1"]),
    )
    for first, second in zip(whole, again):
        assert (
            first["test"] == second["test"]
            and first["history"]["train_loss"] == second["history"]["train_loss"]
        )


def test_check_agrees_with_itself_and_not_with_a_forged_file(tmp_path):
    reproduce_on_toys(tmp_path, ["softmax"])
    agreement = reproduce.check(
        "softmax", toy_dataset(), lambda d: tiny_backbone(), folder=tmp_path
    )
    assert agreement.agrees and agreement.test_again == agreement.test_saved
    path = tmp_path / "toy-2d" / "softmax-seed0.json"
    forged = json.loads(path.read_text())
    forged["test"]["accuracy"] -= 0.5
    records.save(forged, path)
    assert not reproduce.check(
        "softmax", toy_dataset(), lambda d: tiny_backbone(), folder=tmp_path
    ).agrees


def test_check_takes_the_precision_of_the_record_and_refuses_another(tmp_path):
    reproduce_on_toys(tmp_path, ["ArcFace_v1"], precision="bfloat16", device="cpu")
    arguments = "ArcFace_v1", toy_dataset(), lambda d: tiny_backbone()
    agreement = reproduce.check(*arguments, folder=tmp_path, device="cpu")
    assert agreement.test_again == agreement.test_saved
    for options, message in (
        ({"precision": "float32"}, "seed0.json was made with precision = bfloat16, now precision"),
        ({"epochs": 4}, "seed0.json was made with epochs = 3, now epochs = 4"),
    ):
        with pytest.raises(ValueError, match=message):
            reproduce.check(*arguments, folder=tmp_path, device="cpu", **options)


def test_check_without_a_saved_row_says_so(tmp_path):
    reproduce_on_toys(tmp_path, ["softmax"])
    with pytest.raises(
        FileNotFoundError,
        match="nothing to check; make it with lossbook reproduce ArcFace_v1",
    ):
        reproduce.check("ArcFace_v1", toy_dataset(), lambda d: tiny_backbone(), folder=tmp_path)


def test_the_command_line(on_toys, capsys, tmp_path):
    assert cli.main(["reproduce", "softmax", "ArcFace_v2_s8", *on_toys]) == 0
    output = capsys.readouterr().out
    (record,) = [r for r in results.load(tmp_path) if r["row"] == "softmax"]
    assert f"{100 * record['test']['accuracy']:.2f}" in output and "nan" not in output.lower()
    assert record["made_by"]["command"].startswith("lossbook reproduce softmax ArcFace_v2_s8")


def test_the_command_line_checks_every_seed(on_toys, capsys, tmp_path):
    assert cli.main(["reproduce", "softmax", "--seeds", "2", *on_toys]) == 0
    capsys.readouterr()
    assert cli.main(["reproduce", "softmax", "--check", "--seeds", "2", *on_toys]) == 0
    verdicts = capsys.readouterr().out.splitlines()
    path = tmp_path / "toy-2d" / "softmax-seed1.json"
    record = records.read(path)
    assert [line.split(", test accuracy")[0] for line in verdicts] == [
        "agrees: softmax, seed 0",
        "agrees: softmax, seed 1",
    ]
    accuracy = f"{100 * record['test']['accuracy']:.2f}%"
    assert f"{accuracy} saved, {accuracy} trained again, differs by 0.00 points" in verdicts[1]

    (tmp_path / "toy-2d" / "softmax-seed0.json").unlink()
    path.rename(tmp_path / "toy-2d" / "softmax-seed0.json")
    record.update(seed=0)
    record["test"]["accuracy"] = 0.01
    records.save(record, tmp_path / "toy-2d" / "softmax-seed0.json")
    assert cli.main(["reproduce", "softmax", "--check", *on_toys]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("disagrees: softmax, seed 0, test accuracy 1.00% saved")
    assert "softmax, seed 0: trained again, the test accuracy differs by more" in captured.err


def test_the_command_line_checks_no_other_recipe_or_precision(on_toys, capsys, tmp_path):
    assert cli.main(["reproduce", "softmax", *on_toys]) == 0
    for option, message in (
        (["--epochs", "4"], "was made with epochs = 3, now epochs = 4"),
        (["--precision", "bfloat16"], "was made with precision = float32, now precision"),
    ):
        assert cli.main(["reproduce", "softmax", "--check", *option, *on_toys]) == 2
        assert message in capsys.readouterr().err


def test_fewer_classes_go_into_a_folder_of_their_own(on_toys, tmp_path):
    assert cli.main(["reproduce", "softmax", "--classes", "3", *on_toys]) == 0
    (record,) = results.load(tmp_path, "toy-3-classes-2d")
    assert record["classes"] == 3


def test_no_row_is_a_message(on_toys, capsys):
    assert cli.main(["reproduce", *on_toys]) == 2
    assert "no rows named" in capsys.readouterr().err


def test_a_wrong_row_is_answered_by_the_nearest(capsys):
    with pytest.raises(SystemExit):
        cli.main(["reproduce", "ArcFac_v1"])
    assert "did you mean ArcFace_v1" in capsys.readouterr().err
