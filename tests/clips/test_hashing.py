"""Remembered hashes: quick, shared by processes, and never believed of a file that has changed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from mmvideo.clips import hashing
from mmvideo.clips.hashing import ContentHashes


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been left alone for long."""
    monkeypatch.setattr(hashing, "SETTLED", -1.0)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache.json"


def remembered(cache: Path, file: Path) -> None:
    hashes = ContentHashes(cache)
    assert hashes.sha256(file) == digest(file.read_bytes())
    hashes.save()
    assert os.path.abspath(file) in ContentHashes(cache)._known


@pytest.mark.usefixtures("settled")
class TestAChangedFileIsNoticed:
    def test_when_its_content_changes(self, tmp_path: Path, cache: Path) -> None:
        file = tmp_path / "x"
        file.write_bytes(b"abc")
        remembered(cache, file)
        file.write_bytes(b"abcd")
        assert ContentHashes(cache).sha256(file) == digest(b"abcd")

    def test_when_size_and_modification_time_are_made_the_same(self, tmp_path: Path, cache: Path) -> None:
        file = tmp_path / "x"
        file.write_bytes(b"abc")
        status = file.stat()
        remembered(cache, file)
        file.write_bytes(b"abd")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert ContentHashes(cache).sha256(file) == digest(b"abd")

    def test_when_another_file_of_its_size_and_time_is_moved_into_its_place(
        self, tmp_path: Path, cache: Path
    ) -> None:
        file, other = tmp_path / "x", tmp_path / "y"
        file.write_bytes(b"abc")
        other.write_bytes(b"abd")
        remembered(cache, file)
        os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
        os.replace(other, file)
        assert ContentHashes(cache).sha256(file) == digest(b"abd")


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    remembered(cache, file)
    hashes = ContentHashes(cache)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert hashes.sha256(file) == digest(b"abc")


def test_a_file_that_was_changed_just_now_is_hashed_but_not_remembered(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    hashes = ContentHashes(cache)
    assert hashes.sha256(file) == digest(b"abc")
    hashes.save()
    assert not cache.exists()
    time.sleep(hashing.SETTLED + 0.05)
    remembered(cache, file)


@pytest.mark.usefixtures("settled")
def test_two_users_of_one_cache_keep_each_others_entries(tmp_path: Path, cache: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    one, two = ContentHashes(cache), ContentHashes(cache)
    one.sha256(tmp_path / "a")
    two.sha256(tmp_path / "b")
    one.save()
    two.save()
    assert len(ContentHashes(cache)._known) == 2


@pytest.mark.usefixtures("settled")
def test_a_cache_of_an_earlier_form_is_computed_again(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    status = file.stat()
    cache.write_text(f'{{"{file}": [{status.st_size}, {status.st_mtime_ns}, "0000"]}}')
    assert ContentHashes(cache).sha256(file) == digest(b"abc")


@pytest.mark.usefixtures("settled")
def test_thousands_of_known_files_take_under_a_second(tmp_path: Path, cache: Path) -> None:
    files = [tmp_path / f"{i}" for i in range(3000)]
    for file in files:
        file.touch()
    hashes = ContentHashes(cache)
    for file in files:
        hashes.sha256(file)
    hashes.save()
    started = time.process_time()  # other processes of the machine do not count
    again = ContentHashes(cache)
    for file in files:
        again.sha256(file)
    assert time.process_time() - started < 1
