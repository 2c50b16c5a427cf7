"""The one reader and the one writer of records, and locks.

A file appears whole or not at all. One that is not what it should be, a disk that is full and one that takes
no files are each one error, which names the file and says what to do.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from mmvideo import regular
from mmvideo.errors import InputError

if TYPE_CHECKING:
    from mmvideo.schema import Part

    P = TypeVar("P", bound=Part)

TEMPORARY, PART = ".", ".part"
"""How the names of files that are still being written begin and end."""
ABANDONED = 3600.0
"""Seconds after which a file that is being written was left behind by a killed process."""
MADE_AGAIN = "Delete it; it is made again."
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
SHOWN = 300
"""Characters of what is wrong with a file that a message shows."""
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


class Unwritable(InputError):
    """A file cannot be written where it belongs, and nor can others."""


class DiskFull(Unwritable):
    """There is no room for a file. Nothing of it was kept."""


class NotWritable(Unwritable):
    """A file may not be written where it belongs, as on a read-only disk."""


class Damaged(InputError):
    """A file is absent, cut short, changed, of another kind or of another version."""


class Busy(InputError):
    """Another process holds a lock."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around all that writes to `path`: a disk that does not take it is told as such.

    Raises:
        DiskFull: no space is left, or the user's quota is used up.
        NotWritable: the disk is read-only, or the place is not the user's to write to.
    """
    try:
        yield
    except OSError as error:
        kept = "What was written before is whole and kept; the same command goes on from there."
        if error.errno in FULL:
            raise DiskFull(
                f"{path} could not be written: {error.strerror}. Free some space or choose another folder. "
                f"{kept}"
            ) from error
        if error.errno in REFUSED:
            raise NotWritable(
                f"{path} could not be written: {error.strerror}. Choose another folder, or change its "
                f"permissions. {kept}"
            ) from error
        raise


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary name beside `path`; what the block writes to it takes the place of `path` at its end.

    Readers, also after a crash at any moment, see the old file or the new one.

    Args:
        durable: wait until the disk has it. If not, a power cut soon after may leave anything at `path`.

    Raises:
        DiskFull, NotWritable: see `writing`.
    """
    own = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f"{TEMPORARY}{path.name}.{own}{PART}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if durable:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def write_whole(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Replace a file's content, text as UTF-8. Arguments and errors are those of `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def append(path: Path, text: str) -> None:
    """Add to a file's end; it is on its way to the disk when this returns. Raises as `writing` does."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(text)


def make_folder(path: Path, flag: str = "--root") -> None:
    """Create a folder and its parents; `flag` is what chooses another one.

    Raises:
        InputError: it cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(
            f"Cannot write to the folder '{path}': {error.strerror}. "
            f"Choose another folder with {flag}, or change its permissions."
        ) from error


def remove_abandoned(folder: Path) -> None:
    """Delete what killed processes left half-written in a folder that this one is about to write to."""
    for path in folder.glob(f"{TEMPORARY}*{PART}"):
        host, _, rest = path.name.removesuffix(PART).rpartition(".")[2].partition("-")
        with suppress(OSError):  # it is finished or gone meanwhile
            old = path.stat().st_mtime < time.time() - ABANDONED
            if old or (host == _HOST and not _alive(rest.partition("-")[0])):
                path.unlink()


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits. Raises OSError."""
    with regular.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: Any) -> str:
    """SHA-256 of plain JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_text(path: Path, remedy: str, most: int = regular.RECORD) -> str:
    """A file's text, at most so many bytes.

    Raises:
        Damaged: it is absent, cannot be read, no regular file, too large, or no UTF-8.
    """
    try:
        return regular.content(path, most).decode()
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror}. {remedy}") from error
    except UnicodeDecodeError as error:
        raise _damaged(str(path), error, remedy) from error


def read_record(path: Path, kind: type[P], remedy: str) -> P:
    """The record in a JSON file.

    Raises:
        Damaged: it is absent, or is no such record; `remedy` says what to do.
    """
    return validated(str(path), kind, read_text(path, remedy), remedy)


def read_rows(path: Path, kind: type[P], remedy: str, *, torn: bool = False) -> list[P]:
    """The records in a file of JSON Lines. Raises as `read_record` does, with the line's number.

    Args:
        torn: leave out a last line without an end, as a killed process leaves it.
    """
    lines = read_text(path, remedy, regular.ROWS).split("\n")
    if lines.pop() and not torn:
        raise _damaged(str(path), "it is cut short: its last line has no end", remedy)
    return [validated(f"{path}:{n}", kind, line, remedy) for n, line in enumerate(lines, start=1)]


def validated(where: str, kind: type[P], text: str, remedy: str) -> P:
    """The record in a JSON text that was read from `where`. Raises Damaged."""
    from pydantic import ValidationError  # those that only decode clips never come here

    from mmvideo.schema import explain

    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(where, explain(error).removeprefix("configuration: "), remedy) from error


def _damaged(where: str, why: object, remedy: str) -> Damaged:
    text = f"{str(why)[:SHOWN]}{'…' * (len(str(why)) > SHOWN)}"
    return Damaged(f"{where} is damaged or of another version ({text}). {remedy}")


def write_json(path: Path, record: dict[str, Any]) -> None:
    """The record as JSON with a seal, written whole."""
    write_whole(path, json.dumps({"seal": digest_of(record), "record": record}))


def read_json(path: Path, remedy: str = MADE_AGAIN) -> dict[str, Any]:
    """The record in a file written by `write_json`, or by an earlier version; empty if there is none yet.

    Raises:
        Damaged: the file is no JSON, as after a power cut, or not what was written.
    """
    if not os.path.lexists(path):
        return {}
    try:
        content = json.loads(read_text(path, remedy))
    except (ValueError, RecursionError) as error:
        if isinstance(error, Damaged):
            raise
        raise _damaged(str(path), error, remedy) from error
    if not isinstance(content, dict):
        raise _damaged(str(path), f"it holds a {type(content).__name__}, not an object", remedy)
    if "seal" not in content:  # an earlier version's
        return content
    record = content.get("record")
    if not isinstance(record, dict) or content["seal"] != digest_of(record):
        raise _damaged(str(path), "its content was changed after it was written", remedy)
    return record


def update_json(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace the record in a JSON file by `change` of it. Of several processes, none loses another's."""
    with locked(path):
        before = read_json(path)
        after = change(before)
        if after != before:
            write_json(path, after)


def lock_file(path: Path) -> Path:
    """The file of the lock that goes with `path`. It stays when nobody holds the lock."""
    return path.parent / f"{TEMPORARY}{path.name}.lock"


@contextmanager
def locked(path: Path, waiting: str | None = None, *, busy: str | None = None) -> Iterator[None]:
    """Hold the lock that goes with `path`; the system frees it when the process ends, however it ends.

    Args:
        waiting: said once on standard error where another process holds it.
        busy: do not wait for another process, but fail with this message.

    Raises:
        Busy: another process holds it, and `busy` is given.
        DiskFull, NotWritable: see `writing`.
    """
    lock = FileLock(lock_file(path))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if busy is not None:
                raise Busy(busy) from error
            if waiting:
                print(waiting, file=sys.stderr, flush=True)
            lock.acquire(poll_interval=0.01)
    try:
        yield
    finally:
        lock.release()
