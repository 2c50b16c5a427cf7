"""The store under what happens to it: two builders at once, kills, full disks, damaged files."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, read_manifest, write_manifest
from mmvideo.errors import InputError
from mmvideo.files import DiskFull, locked, read_json, update_json, write_json, write_whole
from mmvideo.store.keys import Source
from mmvideo.store.maintenance import verify
from mmvideo.store.store import Store, StoreSettings
from mmvideo.store.unsynced import unsynced

SETTINGS = StoreSettings(frame_rate=8.0, frame_size=32, sample_rate=16000)
BUILD = """
import sys
from pathlib import Path
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import read_manifest
from mmvideo.store.store import Store, StoreSettings

if __name__ == "__main__":
    here = Path(sys.argv[1])
    report = Store(here / "store", StoreSettings(8.0, 32, 16000)).build(
        read_manifest(here / "manifest.jsonl"), workers=1, time_limit=60, max_failed_share=0.0,
        hashes=ContentHashes(here / "hashes.json"), progress=False,
    )
    print(report.built, report.reused, len(report.failed))
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a manifest of 40 clips of sound and a script that builds their store."""
    import soundfile

    clips = []
    for i in range(40):
        tone = 0.5 * np.sin(np.arange(16000) * (i + 5) / 50)
        soundfile.write(tmp_path / f"{i}.wav", tone, 16000)
        clips.append(Clip(id=str(i), label="a", group="g", split="train", audio=f"{i}.wav"))
    write_manifest(tmp_path / "manifest.jsonl", clips)
    (tmp_path / "build.py").write_text(BUILD)
    return tmp_path


def start(here: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(here / "build.py"), str(here)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def build(here: Path, settings: StoreSettings = SETTINGS):
    store = Store(here / "store", settings)
    manifest = read_manifest(here / "manifest.jsonl")
    hashes = ContentHashes(here / "hashes.json")
    return store, store.build(
        manifest, workers=1, time_limit=60, max_failed_share=0.0, hashes=hashes, progress=False
    )


def objects(here: Path) -> list[Path]:
    return sorted((here / "store" / "objects").glob("*/[!.]*"))


def test_two_commands_at_once_share_the_work(here: Path) -> None:
    processes = [start(here), start(here)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    counts = sorted(tuple(map(int, out.split())) for out, _ in results)
    assert counts == [(0, 40, 0), (40, 0, 0)], "what one has decoded the other does not decode again"
    assert any("waiting for it" in err for _, err in results)
    assert len(objects(here)) == 40
    assert verify(here / "store").sound == 40


def test_killed_while_it_writes_it_goes_on_and_nothing_is_broken(here: Path) -> None:
    process = start(here)
    deadline = time.monotonic() + 60
    while len(objects(here)) < 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = len(objects(here))
    assert 3 <= before < 40, "it should be killed half way"
    assert verify(here / "store").damaged == ()
    assert {path.stem for path in objects(here)} < unsynced(here / "store")
    store, report = build(here)
    assert (report.built, report.reused) == (40 - before, before)
    assert unsynced(here / "store") == set()
    assert verify(here / "store").sound == 40
    assert all(len(store.read(key).samples) == 16000 for key in report.keys.values())


FULL_DISK = """
import os
def replace(*_):
    raise OSError(28, "No space left on device")
os.replace = replace
"""


def test_a_full_disk_stops_the_work_and_is_held_against_no_clip(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker processes, which alone are started with this path, find the disk full."""
    (here / "fake").mkdir()
    (here / "fake" / "sitecustomize.py").write_text(FULL_DISK)
    monkeypatch.setenv("PYTHONPATH", str(here / "fake"))
    with pytest.raises(InputError, match=r"could not be written: No space left on device\. Free some space"):
        build(here)
    assert read_json(here / "store" / "failures.json") == {}
    assert objects(here) == []  # a worker that was ended in its next clip may leave a hidden part of one
    monkeypatch.delenv("PYTHONPATH")
    _, report = build(here)
    assert report.built == 40


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", b"before")

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(DiskFull, match="Free some space"):
        write_whole(tmp_path / "a", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_a_file_cut_short_is_decoded_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(here)
    victim = objects(here)[7]
    victim.write_bytes(victim.read_bytes()[:50])
    _, report = build(here)
    assert (report.built, report.reused) == (1, 39)
    assert f"{victim} cannot be read" in capsys.readouterr().err
    assert verify(here / "store").sound == 40


def test_what_a_power_cut_left_is_read_in_full_before_it_is_used(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk has a file's length and beginning, and zeros in the place of the rest."""
    build(here)
    lost, other = objects(here)[7], objects(here)[8]
    for path in (lost, other):
        path.write_bytes(path.read_bytes()[:-3000] + bytes(3000))
    _, report = build(here)
    assert (report.built, report.reused) == (0, 40), "nothing was under way: what is there is believed"
    write_json(here / "store" / "unsynced.json", {"keys": [lost.stem, "0" * 64]})
    _, report = build(here)
    assert (report.built, report.reused) == (1, 39)
    assert f"{lost} was not on the disk" in capsys.readouterr().err
    assert verify(here / "store").damaged == (other,)
    assert not (here / "store" / "unsynced.json").exists()


def test_records_updated_by_many_processes_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mmvideo.files import update_json\n"
        "for i in range(50): update_json(Path(sys.argv[1]), lambda old: old | {f'{sys.argv[2]}-{i}': 1})"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "record.json"), str(n)])
        for n in range(3)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(read_json(tmp_path / "record.json")) == 150


def test_a_lock_excludes_and_is_freed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mmvideo.files import locked\n"
        "with locked(Path(sys.argv[1]), 'wait'): print('in')"
    )
    with locked(tmp_path / "x"):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "x")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert other.stderr is not None
        assert other.stderr.readline() == "wait\n"
        assert other.poll() is None
    assert other.communicate(timeout=30)[0] == "in\n"


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("")
    with pytest.raises(InputError, match=r"index\.json is damaged .*Delete it"):
        update_json(tmp_path / "index.json", lambda old: old)


def test_keys_do_not_move(here: Path) -> None:
    """Stores stay in use until decoding gives something else: the key of a clip is pinned."""
    source = Source({"video": "ab", "subtitles": "cd"}, ".srt", (0.0, 1.5))
    pyav = StoreSettings(8.0, 32, 16000, backend="pyav")
    sampled = {"frame_rate": 8.0, "frame_size": 32, "sample_rate": 16000, "backend": "pyav"}
    record = [5, {"video": "ab", "subtitles": "cd"}, ".srt", [0.0, 1.5], sampled, "pyav"]
    expected = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    assert source.key(pyav) == expected
    jpegs = {source.key(StoreSettings(8.0, 32, 16000, "pyav", "jpeg", quality)) for quality in (80, 90)}
    assert len(jpegs | {expected}) == 3
