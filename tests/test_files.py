"""The one reader and the one writer: whole files, disks that do not take them, files that are not theirs."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmvideo.errors import InputError
from mmvideo.files import (
    PART,
    Busy,
    Damaged,
    DiskFull,
    NotWritable,
    append,
    locked,
    make_folder,
    read_json,
    read_record,
    read_rows,
    remove_abandoned,
    replacing,
    write_json,
    write_whole,
)
from mmvideo.study_records import ArmRecord

RECORD = b'{"name": "late", "role": "fusion"}'


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, NotWritable),
        (errno.EACCES, NotWritable),
        (errno.EPERM, NotWritable),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_takes_no_file_is_told_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[InputError], step: str
) -> None:
    file = tmp_path / "result.json"
    write_whole(file, "old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(kind, match=rf"result\.json could not be written: {os.strerror(number)}\."):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_other_troubles_keep_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_whole(tmp_path / "a", b"")


def test_a_full_device_is_told_when_appending() -> None:
    with pytest.raises(DiskFull, match="/dev/full could not be written"):
        append(Path("/dev/full"), "line\n")


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(NotWritable, match="Cannot write to the folder"):
        make_folder(tmp_path / "runs")
    with pytest.raises(NotWritable, match=r"result\.json could not be written: Not a directory"):
        append(tmp_path / "runs" / "result.json", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotWritable, match="folder could not be written: Is a directory"):
        write_whole(tmp_path / "folder", b"")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        RECORD[:-3],
        b"\xff" + RECORD,
        b"[]",
        b"null",
        b"{}",
        b'{"name": 1, "role": "fusion"}',
        b"[" * 10**5,
        None,
    ],
)
def test_what_is_no_such_record_is_one_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "arm.json"
    file.write_bytes(content) if content is not None else file.mkdir()
    for reader in (read_record, read_rows):
        if reader is read_rows and content == b"":
            assert read_rows(file, ArmRecord, "Do this.") == []
            continue
        with pytest.raises(Damaged, match=r"arm\.json.* Do this\.$"):
            reader(file, ArmRecord, "Do this.")


def test_rows_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(RECORD + b"\n" + RECORD[:-1])
    assert len(read_rows(file, ArmRecord, "", torn=True)) == 1
    with pytest.raises(Damaged, match="its last line has no end"):
        read_rows(file, ArmRecord, "")
    file.write_bytes(RECORD + b"\n" + RECORD[:-1] + b"\n")
    with pytest.raises(Damaged, match=r"rows\.jsonl:2 is damaged"):
        read_rows(file, ArmRecord, "", torn=True)


@pytest.mark.parametrize(
    "content", ["[]", "3", "", '{"seal": "0", "record": {}}', '{"seal": "0"}', "[" * 10**5]
)
def test_a_cache_that_is_not_what_was_written_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "hashes.json").write_text(content)
    with pytest.raises(Damaged, match=r"hashes\.json is damaged .*Delete it"):
        read_json(tmp_path / "hashes.json")


def test_a_cache_comes_back_and_that_of_an_earlier_version_too(tmp_path: Path) -> None:
    file = tmp_path / "hashes.json"
    assert read_json(file) == {}
    write_json(file, {"a": [1, "x"]})
    assert read_json(file) == {"a": [1, "x"]}
    file.write_text(file.read_text().replace("x", "y"))
    with pytest.raises(Damaged, match="changed after it was written"):
        read_json(file)
    file.write_text('{"a": [1, "x"]}')
    assert read_json(file) == {"a": [1, "x"]}


def test_what_killed_processes_left_goes_and_what_others_write_stays(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from mmvideo.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file: file.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "result.json")], check=False)
    [killed] = tmp_path.iterdir()
    elsewhere, old = (tmp_path / f".x.json.{host}-1-abcd{PART}" for host in ("00000000", "00000001"))
    for file in (elsewhere, old, tmp_path / ".build.lock"):
        file.write_text("")
    os.utime(old, (time.time() - 4000,) * 2)
    with replacing(tmp_path / "mine") as mine:
        mine.write_text("")
        remove_abandoned(tmp_path)
        assert set(tmp_path.iterdir()) == {elsewhere, mine, tmp_path / ".build.lock"}
    assert not killed.exists()


def test_who_does_not_wait_for_a_lock_is_told(tmp_path: Path) -> None:
    place, busy = tmp_path / "run", "another trains"
    with locked(place), pytest.raises(Busy, match=busy), locked(place, busy=busy):
        pass
    with locked(place, busy=busy):
        pass
