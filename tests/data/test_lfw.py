"""LFW through torchvision, on a small set in its format: pairs.txt, an archive, folders of jpgs."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from lossbook import data
from lossbook.data import lfw
from lossbook.metrics import verification
from lossbook.utils.torchvision_compat import import_torchvision

datasets = import_torchvision().datasets

FOLDS, EACH = 2, 3


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """Six people with three images each; person p's are grey 40·p, so that a wrong image shows."""
    folder = tmp_path / "lfw-py"
    for p in range(6):
        person = folder / "lfw-deepfunneled" / f"Person_{p}"
        person.mkdir(parents=True)
        for number in (1, 2, 3):
            image = Image.fromarray(np.full((30, 30, 3), 40 * p, np.uint8))
            image.save(person / f"Person_{p}_{number:04}.jpg")
    lines = [f"{FOLDS}\t{EACH}"]
    for fold in range(FOLDS):
        people = range(3 * fold, 3 * fold + 3)
        lines += [f"Person_{p}\t1\t{2 + fold}" for p in people]
        lines += [f"Person_{p}\t1\tPerson_{q}\t3" for p, q in zip(people, [*people[1:], people[0]])]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    (folder / "lfw-deepfunneled.tgz").write_bytes(b"archive")

    def digest(name):
        return hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()

    monkeypatch.setitem(datasets.LFWPairs.checksums, "pairs.txt", digest("pairs.txt"))
    monkeypatch.setitem(
        datasets.LFWPairs.file_dict,
        "deepfunneled",
        ("lfw-deepfunneled", "lfw-deepfunneled.tgz", digest("lfw-deepfunneled.tgz")),
    )
    return tmp_path


def test_pairs_folds_and_identities_are_those_of_the_list(faces):
    images, labels, pairs, fold = lfw.lfw_pairs(faces, size=16)
    assert images.shape[1:] == (1, 16, 16) and len(images) == len(labels)
    grey = (images.mean(dim=(1, 2, 3)).numpy() * 255 / 40).round().astype(int)
    assert np.array_equal(grey, labels)
    assert pairs.same.tolist() == ([True] * EACH + [False] * EACH) * FOLDS
    assert fold.tolist() == [0] * 6 + [1] * 6
    assert np.array_equal(labels[pairs.first] == labels[pairs.second], pairs.same)
    for k in range(FOLDS):  # no person in two folds
        people = {3 * k, 3 * k + 1, 3 * k + 2}
        assert set(labels[pairs.first[fold == k]]) == people
        assert set(labels[pairs.second[fold == k]]) == people


def test_the_report_judges_by_the_given_pairs_and_folds(faces):
    _, labels, pairs, fold = lfw.lfw_pairs(faces, size=8)
    x = np.eye(6)[labels] + 0.01  # a perfect embedding
    report = verification.report(x, labels, (pairs, fold), resamples=20)
    assert report["genuine_pairs"] == report["impostor_pairs"] == FOLDS * EACH
    assert report["eer"] == 0
    assert report["ten_fold"] == {
        "accuracy": 1.0,
        "standard_error": 0.0,
        "pairs": 12,
        "folds": FOLDS,
    }
    assert report["tar@0.1"] is None
    assert "needs at least 10 impostor pairs" in report["undefined"]["tar@0.1"]


def test_missing_files_are_named(faces):
    (faces / "lfw-py" / "lfw-deepfunneled" / "Person_2" / "Person_2_0001.jpg").unlink()
    with pytest.raises(data.DataError, match="Person_2_0001.jpg is missing"):
        lfw.lfw_pairs(faces)
    (faces / "lfw-py" / "pairs.txt").write_text("no list of pairs")
    with pytest.raises(
        data.DataError, match="does not hold LFW .* put pairs.txt, lfw-deepfunneled.tgz"
    ):
        lfw.lfw_pairs(faces)
