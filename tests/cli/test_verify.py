"""The command verify, as someone with an embedding of their own meets it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lossbook
from lossbook import backbones
from lossbook.cli.main import main
from lossbook.cli.verify import read_embedding
from lossbook.data import lfw
from lossbook.data.pairs import Pairs
from lossbook.metrics import verification
from tests.helpers.image_folders import write_images


@pytest.fixture
def saved_embedding(tmp_path, monkeypatch):
    """(x, labels) of 24 identities, saved as mine.npz in the current folder, an empty one."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(24), 6)
    x = random.normal(size=(24, 8))[labels] + 0.5 * random.normal(size=(len(labels), 8))
    np.savez("mine.npz", x=x, labels=labels)
    return x, labels


def test_an_npz_is_scored_as_the_library_does(saved_embedding, capsys):
    assert main(["verify", "mine.npz", "--json", "out.json"]) == 0
    output, expected = capsys.readouterr().out, verification.report(*saved_embedding)
    report = json.load(open("out.json"))
    assert report.pop("embedding") == "mine.npz"
    assert report == json.loads(json.dumps(expected))
    low, high = expected["intervals"]["eer"]
    assert re.search(rf"equal error rate +{expected['eer']:.2%} +{low:.2%} to {high:.2%}", output)
    assert re.search(
        r"TAR at a FAR of 0.01% +not measured: .* needs at least 10,000 impostor pairs", output
    )
    assert f"{expected['ten_fold']['accuracy']:.2%}" in output and "found at rank 5" in output


def test_an_embedding_can_be_scored_by_distance(saved_embedding, capsys):
    assert main(["verify", "mine.npz", "--similarity", "distance"]) == 0
    assert (
        f"{verification.report(*saved_embedding, metric='distance')['eer']:.2%}"
        in capsys.readouterr().out
    )


def test_names_as_labels_are_as_good_as_numbers(saved_embedding, capsys):
    x, labels = saved_embedding
    np.savez("named.npz", x=x, labels=np.array([f"person {j:02}" for j in labels]))
    for name in ("mine.npz", "named.npz"):
        assert main(["verify", name]) == 0
    with_numbers, with_names = capsys.readouterr().out.split("24 identities")[1:]
    assert with_numbers.splitlines()[1:7] == with_names.splitlines()[1:7]


def test_a_module_is_scored_on_a_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images", ("a", "b", "c"))
    (tmp_path / "mynet.py").write_text(
        "from lossbook import backbones\ndef load():\n    return backbones.LeNetPP.small(8)\n"
    )
    arguments = ["verify", "mynet:load", "--images", "images", "--json", "o.json"]
    run = subprocess.run(
        [sys.executable, "-m", "lossbook", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lossbook.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    assert "15 images of 3 identities: 30 genuine and 75 impostor pairs" in run.stdout
    assert json.load(open("o.json"))["eer"] is not None


def test_lfw_is_judged_by_its_own_pairs(monkeypatch, capsys):
    pairs = Pairs(np.array([0, 0, 2, 2]), np.array([1, 2, 3, 4]), np.array([1, 0, 1, 0], bool))
    faces = lfw.FacePairs(
        torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0)),
        np.array([0, 0, 1, 1, 2]),
        pairs,
        np.array([0, 0, 1, 1]),
    )
    monkeypatch.setattr(lfw, "lfw_pairs", lambda folder, size: faces)
    monkeypatch.setitem(sys.modules, "facenet", type(sys)("facenet"))
    sys.modules["facenet"].load = lambda: backbones.LeNetPP.small(4)
    assert main(["verify", "facenet:load", "--lfw", "faces"]) == 0
    assert "2 genuine and 2 impostor pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none.npz"], "no file at none.npz"),
        (["text.npz"], "text.npz is not an NPZ file"),
        (
            ["half.npz"],
            "half.npz holds the arrays x: expected x, one embedding per row",
        ),
        (["short.npz"], "labels (3,)"),
        (["mine.npz", "--images", "images"], "name a function that returns a torch module"),
        (["json:nothing", "--images", "images"], "cannot be called"),
        (["builtins:dict", "--images", "images"], "returned dict, expected a torch.nn.Module"),
        (["builtins:dict", "--images", "images", "--lfw", "."], "choose one"),
        (["builtins:dict", "--images", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_bad_input_is_a_message(saved_embedding, arguments, message, tmp_path, capsys):
    write_images(tmp_path / "images", ("a", "b"))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez("half.npz", x=saved_embedding[0])
    np.savez("short.npz", x=saved_embedding[0], labels=saved_embedding[1][:3])
    assert main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """mynet.py with networks of many kinds, and images to embed in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mynet", raising=False)
    write_images(tmp_path / "images", ("a", "b", "c"), size=28)
    (tmp_path / "mynet.py").write_text("""
from torch import nn
raw = nn.Flatten
instance = nn.Sequential(nn.Flatten(), nn.Linear(784, 4))
double = lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 4)).double()
rgb = lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
wide = lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1))
class Two(nn.Sequential):
    def forward(self, x):
        return super().forward(x), None
two = lambda: Two(nn.Flatten(), nn.Linear(784, 4))
needs = lambda size: nn.Linear(784, size)
number = 3
""")
    yield
    sys.modules.pop("mynet", None)


@pytest.mark.parametrize("name", ["raw", "instance", "double"])
def test_a_network_without_parameters_or_in_double_precision_is_scored(name, networks, capsys):
    assert main(["verify", f"mynet:{name}", "--images", "images", "--json", "out.json"]) == 0
    assert "15 images of 3 identities" in capsys.readouterr().out
    if name == "raw":  # each image is one bright pixel, in a place of its own
        assert json.load(open("out.json"))["eer"] == 0.5


@pytest.mark.parametrize(
    "name, message",
    [
        ("rgb", "(15, 1, 28, 28), grey and in [0, 1]: .*3 channels.* images.expand(-1, 3, -1, -1)"),
        ("wide", "returned (15, 4, 1, 1) .* expected embeddings, (N, d); torch.nn.Flatten()"),
        ("two", "returned a tuple: expected a tensor"),
        ("needs", "missing a required argument: 'size'; name a function that takes no arguments"),
        ("number", "cannot be called: 3 is not a callable object"),
    ],
)
def test_a_network_that_does_not_fit_is_a_message(name, message, networks, capsys):
    assert main(["verify", f"mynet:{name}", "--images", "images"]) == 2
    error = capsys.readouterr().err
    assert f"mynet:{name}" in error
    for part in message.split(".*"):
        assert part in error


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.array([f"person {j}" for j in range(144)], dtype=object), "save labels.astype(str)"),
        (np.r_[np.zeros(143), np.nan], "row 143 has no identity: its label is 'nan', and 1 of 144"),
        (np.r_[np.zeros(143), 1.5], "row 143 has no identity: its label is '1.5'"),
        (np.array(["a", "nan"] * 72), "row 1 has no identity: its label is 'nan', and 72 of 144"),
        (np.array(["a", ""] * 72), "row 1 has no identity: its label is ''"),
        (np.zeros(144, dtype="datetime64[s]"), "labels are datetime64[s]"),
    ],
)
def test_labels_that_name_nobody_are_refused(saved_embedding, labels, message, capsys):
    np.savez("wrong.npz", x=saved_embedding[0], labels=labels)
    assert main(["verify", "wrong.npz"]) == 2
    assert message in capsys.readouterr().err


def test_whole_numbers_as_floats_are_labels(saved_embedding, capsys):
    x, labels = saved_embedding
    np.savez("floats.npz", x=x, labels=labels.astype(float))
    read, identities = read_embedding("floats.npz")
    assert np.array_equal(read, x) and np.array_equal(identities, labels)


def test_other_files_are_refused_by_name(saved_embedding, capsys):
    np.save("one.npy", saved_embedding[0])
    torch.save({"x": torch.tensor(saved_embedding[0])}, "net.pt")
    np.savez("named.npz", embeddings=saved_embedding[0], labels=saved_embedding[1])
    content = bytearray(Path("mine.npz").read_bytes())
    content[200:260] = bytes(60)
    Path("damaged.npz").write_bytes(content)
    for name in ("one.npy", "net.pt", "named.npz", "damaged.npz"):
        assert main(["verify", name]) == 2
        assert name in (error := capsys.readouterr().err)
        assert "numpy.savez(path, x=x, labels=labels)" in error or "is damaged" in error


@pytest.mark.parametrize("fold_column", [False, True])
def test_a_list_of_trials_is_judged(saved_embedding, fold_column, capsys):
    x, labels = saved_embedding
    rows = [(i, 3 * i % 144, i % 2) for i in range(1, 60)]
    lines = [
        f"{i} {j}\t{int(labels[i] == labels[j])}" + f" {fold}" * fold_column
        for i, j, fold in [*rows, (0, 1, 0), (6, 7, 1)]
    ]
    Path("trials.txt").write_text("\n".join(lines) + "\n\n")
    assert main(["verify", "mine.npz", "--trials", "trials.txt", "--json", "out.json"]) == 0
    first, second = np.array([*[row[:2] for row in rows], (0, 1), (6, 7)]).T
    pairs = Pairs(first, second, labels[first] == labels[second])
    scores = verification.similarity(x, pairs)
    report = json.load(open("out.json"))
    assert report["eer"] == verification.equal_error_rate(scores, pairs.same)
    assert (report["ten_fold"] is not None) == fold_column


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "trials.txt is empty"),
        ("0 1 1\n-1 3 0\n", "line 2: '-1 3 0': expected two row numbers from 0"),
        ("0 1 same\n", "line 1: '0 1 same'"),
        ("0 1 1\n0 6 0 1\n", "line 2: '0 6 0 1'"),
        ("0 1\n", "line 1: '0 1'"),
        ("0 1 1\n0 144 0\n", "a pair names row 144"),
        ("0 1 0\n0 6 0\n", "same contradicts the labels in 1 of 2 pairs"),
    ],
)
def test_a_wrong_list_of_trials_is_a_message(saved_embedding, text, message, capsys):
    Path("trials.txt").write_text(text)
    assert main(["verify", "mine.npz", "--trials", "trials.txt"]) == 2
    assert message in capsys.readouterr().err


def test_one_identity_is_a_message(saved_embedding, capsys):
    np.savez("one.npz", x=saved_embedding[0], labels=np.zeros(len(saved_embedding[0]), int))
    assert main(["verify", "one.npz"]) == 2
    assert "there is no impostor pair" in capsys.readouterr().err


@pytest.fixture
def probes_and_gallery(saved_embedding):
    """probes.npz holds rows of 24 identities, gallery.npz other rows of the first 16 of them."""
    x, labels = saved_embedding
    names = np.array([f"person {j:02}" for j in labels])
    enrolled = (np.arange(len(x)) % 6 < 2) & (labels < 16)
    probes = np.arange(len(x)) % 6 >= 2
    np.savez("gallery.npz", x=x[enrolled], labels=names[enrolled])
    np.savez("probes.npz", x=x[probes], labels=names[probes])
    return x[probes], labels[probes], x[enrolled], labels[enrolled]


def test_probes_are_compared_with_templates_and_strangers_are_counted(probes_and_gallery, capsys):
    """Every template, score and search written out."""
    x, labels, enrolled, enrolled_labels = probes_and_gallery
    assert main(["verify", "probes.npz", "--gallery", "gallery.npz", "--json", "out.json"]) == 0
    output, report = capsys.readouterr().out, json.load(open("out.json"))["gallery"]
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    templates = [
        unit(sum(unit(row) for row in enrolled[enrolled_labels == j]) / 2) for j in range(16)
    ]
    scores = np.array([[unit(row) @ template for template in templates] for row in x])
    same = labels[:, None] == np.arange(16)
    assert (report["templates"], report["mated"], report["strangers"]) == (16, 64, 32)
    assert "16 templates from gallery.npz, 64 probes of their identities and 32 of st" in output
    eer = verification.equal_error_rate(scores.ravel(), same.ravel())
    assert report["equal error rate"] == pytest.approx(eer)
    strangers = np.sort(scores[labels >= 16].max(axis=1))[::-1]
    misses = sum(
        not (row.argmax() == label and row.max() > strangers[3])  # 3 of 32 may be let in
        for row, label in zip(scores, labels)
        if label < 16
    )
    assert 0 < misses < 64 and report["FNIR at a FPIR of 10.00%"] == pytest.approx(misses / 64)
    assert report["FNIR at a FPIR of 1.00%"] is None
    assert "needs at least 100 probes that are not in the gallery" in output


def test_thresholds_chosen_on_one_file_are_kept_on_another(saved_embedding, capsys):
    x, labels = saved_embedding
    for name, rows in (("chosen", labels < 12), ("kept", labels >= 12)):
        np.savez(f"{name}.npz", x=x[rows], labels=labels[rows])
    arguments = ["verify", "kept.npz", "--thresholds-from", "chosen.npz", "--json", "out.json"]
    assert main(arguments) == 0
    kept = json.load(open("out.json"))["kept_thresholds"]
    lengths = np.linalg.norm(x, axis=1)
    cosines = x @ x.T / np.outer(lengths, lengths)
    first, second = np.triu_indices(len(x), 1)
    scores, same = cosines[first, second], labels[first] == labels[second]
    there = (labels[first] < 12) & (labels[second] < 12)
    here = (labels[first] >= 12) & (labels[second] >= 12)
    threshold = kept["FAR of 1.00%"]["threshold"]
    let_in = (scores >= threshold - 1e-12)[there & ~same]
    higher = scores[there & same & (scores < threshold - 1e-12)].max()  # the next that would count
    assert let_in.mean() <= 0.01 < (scores >= higher)[there & ~same].mean()
    for rates in kept.values():
        accepted = scores >= rates["threshold"] - 1e-12
        assert rates["far"] == pytest.approx(accepted[here & ~same].mean())
        assert rates["tar"] == pytest.approx(accepted[here & same].mean())
    assert "scores chosen on chosen.npz, and their rates on kept.npz:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["probes.npz", "--gallery", "mine.npz"], "one has names for labels, the other numbers"),
        (["probes.npz", "--gallery", "none.npz"], "no file at none.npz"),
        (
            ["probes.npz", "--gallery", "gallery.npz", "--similarity", "distance"],
            "leave --similarity distance out",
        ),
        (["a:b", "--images", ".", "--gallery", "gallery.npz"], "--gallery is for the rows of an"),
        (["a:b", "--lfw", ".", "--thresholds-from", "gallery.npz"], "--thresholds-from is for"),
    ],
)
def test_a_gallery_that_does_not_fit_is_a_message(probes_and_gallery, arguments, message, capsys):
    assert main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err
