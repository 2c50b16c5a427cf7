"""A store damaged in every way that comes to mind: a build heals it or names the file, and no clip changes.

What a single flipped bit does is found by the checksum, which is compared at every opening here.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mmvideo.clips.hashing import SETTLED, ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.store import object_store
from mmvideo.store.build_report import fingerprint
from mmvideo.store.encoded import EncodedClips
from mmvideo.store.maintenance import verify
from mmvideo.store.store import Store, StoreSettings

SETTINGS = StoreSettings(frame_rate=8.0, frame_size=32, sample_rate=16000)
Damage = Callable[["Stored"], None]


class Stored:
    """Three clips of sound with words, decoded."""

    def __init__(self, here: Path) -> None:
        self.here, self.root = here, here / "store"
        clips = [
            Clip(id=name, label="a", group=name, split="train", audio=f"{name}.wav", subtitles=f"{name}.srt")
            for name in "abc"
        ]
        self.manifest, self.store = Manifest(tuple(clips), here), Store(self.root, SETTINGS)

    def build(self) -> tuple[dict[str, Path], str, list[bytes]]:
        """Each clip's file, the data's fingerprint, and all that the clips hold."""
        hashes = ContentHashes(self.root / "hashes.json")
        report = self.store.build(
            self.manifest, workers=1, time_limit=60, max_failed_share=0.0, hashes=hashes, progress=False
        )
        assert report.present == dict.fromkeys("abc", ("audio", "text"))
        files = {name: object_store.object_path(self.root, key) for name, key in report.keys.items()}
        clips = [self.store.read(report.keys[name]) for name in "abc"]
        content = [clip.samples.tobytes() + repr(clip.words).encode() for clip in clips]
        return files, fingerprint(self.manifest, report), content

    @property
    def files(self) -> list[Path]:
        return sorted((self.root / "objects").glob("*/*.safetensors"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    import soundfile

    here = tmp_path_factory.mktemp("whole")
    for number, name in enumerate("abc"):
        soundfile.write(here / f"{name}.wav", 0.5 * np.sin(np.arange(8000) * (number + 5) / 50), 16000)
        (here / f"{name}.srt").write_text(f"1\n00:00:00,000 --> 00:00:00,400\n{name} {name}\n")
    stored = Stored(here)
    stored.build()
    return stored


@pytest.fixture
def stored(whole: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    monkeypatch.setattr(object_store, "CHECKED_EVERY", 1)
    shutil.copytree(whole.here, tmp_path / "here")
    copied = Stored(tmp_path / "here")
    time.sleep(1.5 * SETTLED)  # their hashes are remembered only now
    copied.build()
    return copied


def change(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new))


def flipped(at: float) -> Damage:
    def damage(stored: Stored) -> None:
        content = bytearray(stored.files[0].read_bytes())
        content[int(at * (len(content) - 1))] ^= 4
        stored.files[0].write_bytes(content)

    damage.__name__ = f"flipped at {at}"
    return damage


def swapped(stored: Stored) -> None:
    one, other, _ = stored.files
    content = one.read_bytes()
    os.replace(other, one)
    other.write_bytes(content)


def copied_over(stored: Stored) -> None:
    shutil.copyfile(stored.files[1], stored.files[0])


def truncated(stored: Stored) -> None:
    stored.files[0].write_bytes(stored.files[0].read_bytes()[:-100])


def emptied(stored: Stored) -> None:
    stored.files[0].write_bytes(b"")


def deleted(stored: Stored) -> None:
    stored.files[0].unlink()


def no_tensors(stored: Stored) -> None:
    stored.files[0].write_bytes(b"junk" * 1000)


def foreign_tensors(stored: Stored) -> None:
    save_file({"weight": np.zeros(3)}, stored.files[0])


def no_record(stored: Stored) -> None:
    save_file({"samples": np.zeros(3, np.int16)}, stored.files[0], {"clip": "{}"})


def record_of_another_kind(stored: Stored) -> None:
    save_file({"samples": np.zeros(3, np.int16)}, stored.files[0], {"clip": "[1]", "sha256": "0"})


def presence_edited(stored: Stored) -> None:
    change(stored.files[0], b'[\\"audio\\", \\"text\\"]', b'[\\"audio\\"]' + b" " * 10)


def origin_edited(stored: Stored) -> None:
    record = object_store.read_record(stored.files[0])
    source = record["origin"]["source"].encode()
    change(stored.files[0], source, source[::-1])


def words_edited(stored: Stored) -> None:
    change(stored.files[0], b'\\"words\\": [[\\"', b'\\"words\\": [[1,\\"')


def key_removed(stored: Stored) -> None:
    """And another clip's content in its place, as a store of an earlier version would hold it."""
    copied_over(stored)
    change(stored.files[0], b'"key":', b'"yek":')


def index_of_an_earlier_version(stored: Stored) -> None:
    listed = {file.stem: {"present": ["visual"], "decoder": "pyav"} for file in stored.files}
    (stored.root / "index.json").write_text(json.dumps(listed))


def failures_edited(stored: Stored) -> None:
    failed = {file.stem: {"clip": "a", "reason": "broken", "time_limit": None} for file in stored.files}
    (stored.root / "failures.json").write_text(json.dumps({"seal": "0", "record": failed}))


def failures_of_another_kind(stored: Stored) -> None:
    write_json(stored.root / "failures.json", {"a": 3, "b": {"reason": "none"}})
    stored.files[0].unlink()


def hashes_exchanged(stored: Stored) -> None:
    """One file's digest for another's: its clip would be read as the other."""
    file = stored.root / "hashes.json"
    digests = [entry[-1] for name, entry in read_json(file).items() if name.endswith("wav")]
    text = file.read_text()
    for old, new in zip(digests, [*digests[1:], digests[0]], strict=True):
        text = text.replace(old, f"*{new}")
    file.write_text(text.replace("*", ""))


def hashes_of_another_kind(stored: Stored) -> None:
    write_json(stored.root / "hashes.json", dict.fromkeys(read_json(stored.root / "hashes.json"), 7))


def hashes_truncated(stored: Stored) -> None:
    (stored.root / "hashes.json").write_bytes((stored.root / "hashes.json").read_bytes()[:-9])


def a_folder(stored: Stored) -> None:
    file = stored.files[0]
    file.unlink()
    file.mkdir()


IN_AN_OBJECT = [
    *map(flipped, (0.2, 0.5, 0.999)), swapped, copied_over, truncated, emptied, no_tensors, presence_edited,
    origin_edited, words_edited,
]  # fmt: skip
ELSEWHERE = [
    deleted, foreign_tensors, no_record, record_of_another_kind, key_removed, index_of_an_earlier_version,
    failures_edited, failures_of_another_kind, hashes_exchanged, hashes_of_another_kind, hashes_truncated,
    a_folder,
]  # fmt: skip


REFUSED = (failures_edited, failures_of_another_kind, hashes_exchanged, hashes_truncated, a_folder)
"""What is not healed, since it is not known what is right."""


@pytest.mark.parametrize("damage", [*IN_AN_OBJECT, *ELSEWHERE], ids=lambda damage: damage.__name__)
def test_no_clip_changes_in_silence(stored: Stored, damage: Damage) -> None:
    expected = stored.build()
    damage(stored)
    if damage in REFUSED:
        with pytest.raises(InputError, match=str(stored.root)):
            stored.build()
    else:
        assert stored.build() == expected


@pytest.mark.parametrize("damage", IN_AN_OBJECT, ids=lambda damage: damage.__name__)
def test_verify_finds_it(stored: Stored, damage: Damage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "CHECKED_EVERY", 10**9)
    damage(stored)
    found = verify(stored.root)
    assert stored.files[0] in found.damaged
    assert len(found.damaged) == (2 if damage is swapped else 1)


def test_features_of_another_clip_are_refused(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "_openings", itertools.count(1))
    keys = {name: path.stem for name, path in stored.build()[0].items()}
    features = EncodedClips(stored.root, keys, {"backbone": "small"}, "visual", {})
    for number, name in enumerate("ab"):
        features.write(name, np.full((2, 4), number, np.float32), np.arange(2.0))
    assert features.read("b")[0].tolist() == [[1.0] * 4] * 2
    shutil.copyfile(features.path("a"), features.path("b"))
    with pytest.raises(InputError, match=f"{features.path('b').name} cannot be read .it holds the object"):
        features.read("b")
