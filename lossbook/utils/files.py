"""Files: the folder for downloads, and writing a file whole or not at all."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cache", "check_writable", "write_atomically"]


def cache():
    """The folder for downloads: ``lossbook`` below ``XDG_CACHE_HOME`` (default ``~/.cache``).

    Raises ``FileNotFoundError`` if that is not set and the user has no home folder, as in a
    container that runs as a user whom it does not know.
    """
    if setting := os.environ.get("XDG_CACHE_HOME"):
        return Path(setting, "lossbook")
    try:
        return Path.home() / ".cache" / "lossbook"
    except RuntimeError:
        raise FileNotFoundError(
            "there is no folder for downloads: HOME is not set and this user has no home folder; "
            "set XDG_CACHE_HOME to a folder that you may write to"
        ) from None


def check_writable(path):
    """Raise ``OSError``, with the path and the cause, unless a file can be written at ``path``.

    Folders that are missing are made.
    """
    with _failure_explained(path):
        temporary = _temporary_beside(path)
        temporary.touch()
        temporary.unlink()


def write_atomically(path, write):
    """Call ``write(file)`` on a temporary file beside ``path``, then move it into place.

    ``write`` gets a file opened for bytes. Folders that are missing are made. If anything fails (no
    space left, Ctrl-C, a full quota), ``path`` keeps what it held before.

    Raises ``OSError`` with the path and the cause.
    """
    with _failure_explained(path):
        temporary = _temporary_beside(path)
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _temporary_beside(path):
    """The path of a temporary file in the folder of ``path``, which is made if it is missing."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a folder or a device, expected a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{path.name}.{os.getpid()}.part")


@contextmanager
def _failure_explained(path):
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"could not save {path} ({error.strerror or error}); "
            + ("the former file is unchanged" if Path(path).exists() else "nothing was written")
            + "; free some space or choose another folder",
        ) from error
