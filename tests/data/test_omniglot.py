"""Omniglot: downloaded once, or read from its extracted folder."""

import functools
import hashlib
import http.server
import threading
import zipfile

import pytest
import torch

from lossbook import data
from lossbook.data.omniglot import omniglot
from lossbook.utils.torchvision_compat import import_torchvision
from tests.helpers.image_folders import write_images

datasets = import_torchvision().datasets


@pytest.fixture
def characters(tmp_path, monkeypatch):
    """A small Omniglot in its real layout, and a server that offers it as torchvision's zip."""
    write_images(
        tmp_path / "served" / "images_background",
        ("Greek/character01", "Greek/character02", "Latin/character01"),
    )
    archive = tmp_path / "served" / "images_background.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "served" / "images_background").rglob("*.png")):
            packed.write(path, path.relative_to(tmp_path / "served"))
    monkeypatch.setitem(
        datasets.Omniglot.zips_md5,
        "images_background",
        hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest(),
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=tmp_path / "served")
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        datasets.Omniglot, "download_url_prefix", f"http://127.0.0.1:{server.server_port}"
    )
    yield tmp_path / "served" / "images_background"
    server.shutdown()
    server.server_close()


def test_omniglot_downloaded_once_or_from_a_folder_is_the_same(characters, monkeypatch):
    loaded = omniglot()
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", "http://127.0.0.1:9")
    for again in (omniglot(), omniglot(characters)):
        assert (
            torch.equal(again.train.images, loaded.train.images) and again.classes == loaded.classes
        )
    assert loaded.classes == ("Greek/character01", "Greek/character02", "Latin/character01")
    assert loaded.train.images.mean() > 0.9  # dark squares on white: inverted


def test_omniglot_out_of_reach_names_a_way_out(characters, monkeypatch):
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", "http://127.0.0.1:9")
    with pytest.raises(
        data.DataError, match="could not be downloaded.*(?s:.)*give that folder's path"
    ):
        omniglot()
