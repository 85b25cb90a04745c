"""Paths and small files that others name or put there: no surprise may come of either."""

import errno
import os
import stat
from pathlib import Path

MOST = 1 << 28  # bytes of a vocabulary or a configuration; the 2018 release's vocabulary has a million


def read_bytes(path: Path, n: int = -1) -> bytes:
    """The first n bytes of a file, all of them by default.

    Raises:
        OSError: it is not there or cannot be read; it is a pipe, which may never give anything, or a device, which may
            never end; all of more than MOST bytes is asked for.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if n < 0 and found.st_size > MOST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    with path.open("rb") as file:
        return file.read(n)


def expanded(path: str | Path) -> Path:
    """A path with the user's home for `~`; a `~name` that is no user's stays what it is, where pathlib would raise."""
    return Path(os.path.expanduser(path))
