"""Writing files completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Flags that only some systems have: do not follow a link, do not translate line ends.
_OTHER_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_ATTEMPTS = 100
_PROBE = 1 << 16  # bytes
_DEV = ("/", "dev")
_PREFIX = 24  # characters of a name, of up to four bytes each

T = TypeVar("T")


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, completely or not at all.

    The bytes are written to a temporary file in the same folder, which is then renamed: a full
    disk or a kill leaves the previous file as it was. A file that exists keeps its permissions, and
    a new one gets those of any new file of this process. A symbolic link stays, and the file that
    it names is written. Devices and pipes, such as /dev/stdout, are written to directly.

    Parameters
    ----------
    path : str or path
    data : bytes

    Raises
    ------
    OSError
        If the folder does not exist, the file is read-only or cannot be written, or a symbolic link
        leads back to itself. The temporary file is removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a.txt"), b"text")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    given = path = Path(path)
    mode = _mode_of(path)
    if is_stream(path):
        path.write_bytes(data)
        return
    path = _resolved(path)
    temporary, descriptor = _new_file(path, given)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.chmod(temporary, mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _about(given, error) from error
        raise


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` names a device, a pipe or a socket, which is never replaced.

    Examples
    --------
    >>> is_stream(os.devnull), is_stream("a.txt")
    (True, False)
    """
    path = Path(path)
    if not path.exists():
        return False
    # These are links, perhaps to a file that is open already and must not be replaced.
    open_ones = path.parts[:3] in ((*_DEV, "stdout"), (*_DEV, "stderr"), (*_DEV, "fd"))
    return open_ones or path.parts[:2] == ("/", "proc") or not (path.is_file() or path.is_dir())


def _mode_of(path: Path) -> int | None:
    """Return the permissions of a file that may be overwritten; None if there is none.

    Raises
    ------
    OSError
        If it is a folder, or read-only.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.exists():
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    # The mode is asked too: an administrator may write to every file, and replacing a file only
    # needs a writable folder, but a file that was made read-only is meant to stay as it is.
    if not (os.access(path, os.W_OK) and mode & 0o222):
        raise PermissionError(errno.EACCES, "the file is read-only", str(path))
    return mode


def _resolved(path: Path) -> Path:
    """Return the path of the file that a path names, through symbolic links.

    Raises
    ------
    OSError
        If a link leads back to itself.
    """
    resolved = Path(os.path.realpath(path))
    if resolved.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return resolved


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise an OSError if a file could not be written to `path` now; nothing is changed.

    The folder must exist, an existing file must not be read-only, and a small temporary file must
    fit next to it.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    OSError
        With `path` as its ``filename``.

    Examples
    --------
    >>> check_target("no/such/folder/a.txt")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'no/such/folder/a.txt'
    """
    given = path = Path(path)
    _mode_of(path)
    if is_stream(path):
        return
    path = _resolved(path)
    temporary, descriptor = _new_file(path, given)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(bytes(_PROBE))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _about(given, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _about(path: Path, error: OSError) -> OSError:
    """Return an error about `path` in place of one about its temporary file, or about none."""
    if error.errno is None:
        return error
    return OSError(error.errno, error.strerror, str(path))


def temporary_prefix(name: str) -> str:
    """Return the prefix of the temporary files that are created while `name` is written.

    It has no more than the first characters of a long name, so that every name that the file system
    allows has a temporary one.
    """
    return f".{name[:_PREFIX]}."


def temporary_folder(path: str | os.PathLike[str]) -> Path:
    """Create an empty folder next to `path`, to be filled and then renamed.

    Raises
    ------
    OSError
        If the folder cannot be created.
    """
    folder, _ = _created(Path(path), os.mkdir, Path(path))
    return folder


def _new_file(path: Path, given: Path) -> tuple[Path, int]:
    """Create a temporary file next to `path`; return its path and its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OTHER_FLAGS
    return _created(path, lambda name: os.open(name, flags, 0o666), given)


def _created(path: Path, create: Callable[[Path], T], given: Path) -> tuple[Path, T]:
    """Create something under a temporary name; return the name and what `create` returned.

    Errors are about the path that the user gave.

    The kernel applies the umask to the mode. The umask cannot be read without setting it, which
    would change the permissions of files that other threads create at the same time.
    """
    folder = path.absolute().parent
    for _ in range(_ATTEMPTS):
        temporary = folder / f"{temporary_prefix(path.name)}{secrets.token_hex(8)}"
        try:
            return temporary, create(temporary)
        except FileExistsError:
            continue
        except OSError as error:
            raise _about(given, error) from error
    raise FileExistsError(errno.EEXIST, "cannot find a free name for a temporary file", str(folder))
