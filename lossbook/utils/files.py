"""Files: the folder for downloads, and writing a file whole or not at all."""

import os
from pathlib import Path

__all__ = ["cache", "write_atomically"]


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


def write_atomically(path, write):
    """Call ``write(file)`` on a temporary file beside ``path``, then move it into place.

    ``write`` gets a file opened for bytes. Folders that are missing are made. If anything fails (no
    space left, Ctrl-C, a full quota), ``path`` keeps what it held before.

    Raises ``OSError`` with the path and the cause.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f"could not save {path} ({error.strerror or error}); "
                + ("the former file is unchanged" if path.exists() else "nothing was written")
                + "; free some space or choose another folder",
            ) from error
        raise
