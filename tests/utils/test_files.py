"""Files written whole or not at all, and the cache folder."""

from pathlib import Path

import pytest

from lossbook import data
from lossbook.data import omniglot
from lossbook.utils.files import cache, check_writable, write_atomically


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache() == Path("/elsewhere/lossbook")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache() == Path.home() / ".cache" / "lossbook"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(FileNotFoundError, match="HOME is not set .* set XDG_CACHE_HOME"):
        cache()
    with pytest.raises(data.DataError, match="set XDG_CACHE_HOME"):
        omniglot.omniglot()
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache() == Path("/elsewhere/lossbook")


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, lambda file: file.write(b"content"))
    assert path.read_bytes() == b"content" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(existed, error, tmp_path):
    path = tmp_path / "file"
    if existed:
        path.write_bytes(b"before")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)) as raised:
        write_atomically(path, fail)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"before"] if existed else [])
    if isinstance(error, OSError):
        outcome = "the former file is unchanged" if existed else "nothing was written"
        assert str(path) in str(raised.value) and outcome in str(raised.value)
        assert "No space left" in str(raised.value)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    for path in (tmp_path / "file" / "c", tmp_path):
        for attempt in (check_writable, lambda path: write_atomically(path, lambda file: None)):
            with pytest.raises(OSError, match=f"could not save {path} "):
                attempt(path)
    check_writable(tmp_path / "file"), check_writable(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"content"
