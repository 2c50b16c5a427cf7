"""Looking after a store: what it holds, what is damaged, what nobody needs."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmvideo.cli import main
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest, read_manifest, write_manifest
from mmvideo.errors import InputError
from mmvideo.evaluation.floor_record import FloorRecord
from mmvideo.files import write_whole
from mmvideo.store import object_store
from mmvideo.store.clip_format import StoredClip, open_clip, read_clip, write_clip
from mmvideo.store.keys import Source, StoreSettings
from mmvideo.store.maintenance import collect_garbage, kinds, verify
from mmvideo.store.object_store import object_path

FINE, COARSE = StoreSettings(8.0, 32, 16000), StoreSettings(4.0, 16, 8000)
CLIP = StoredClip(samples=np.linspace(-1, 1, 500, dtype=np.float32))


class Folder:
    """Three sound files, a manifest of each, and a store with all three at two settings."""

    def __init__(self, path: Path) -> None:
        self.path, self.root = path, path / "store"
        self.hashes = ContentHashes(path / "hashes.json")
        for name in "abc":
            (path / f"{name}.wav").write_bytes(name.encode())
            write_manifest(path / f"{name}.jsonl", [self.clip(name)])
        self.paths = {
            (name, settings): self.put(name, settings) for name in "abc" for settings in (FINE, COARSE)
        }

    def clip(self, name: str) -> Clip:
        return Clip(id=name, label="x", group=name, split="train", audio=f"{name}.wav")

    def manifest(self, name: str) -> Manifest:
        return read_manifest(self.path / f"{name}.jsonl")

    def put(self, name: str, settings: StoreSettings, *, origin: bool = True) -> Path:
        source = Source.of(self.clip(name), self.manifest(name), self.hashes)
        path = object_path(self.root, source.key(settings))
        made = {"clip": name, "source": source.digest, "settings": settings.deciding} if origin else None
        write_clip(path, CLIP, None, origin=made)
        return path

    def left(self) -> set[Path]:
        return set((self.root / "objects").rglob("*.safetensors"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def flip_a_bit(path: Path, at: int = -100) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


class TestVerify:
    def test_finds_one_flipped_bit_that_one_opening_in_many_notices(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        victim = folder.paths["b", FINE]
        flip_a_bit(victim)
        monkeypatch.setattr(object_store, "_openings", itertools.count(1))
        for _ in range(object_store.CHECKED_EVERY - 1):
            assert len(read_clip(victim).samples) == 500
        with pytest.raises(InputError, match="its content was changed after it was written"):
            read_clip(victim)
        found = verify(folder.root)
        assert (found.sound, found.unchecked, found.damaged) == (5, 0, (victim,))
        assert victim.exists()

    @pytest.mark.parametrize("damage", [b"", b"junk" * 9, None])
    def test_finds_what_cannot_be_read(self, folder: Folder, damage: bytes | None) -> None:
        victim = folder.paths["b", FINE]
        victim.write_bytes(victim.read_bytes()[:-1] if damage is None else damage)
        assert verify(folder.root).damaged == (victim,)

    def test_sees_a_changed_record_too(self, folder: Folder) -> None:
        victim = folder.paths["a", FINE]
        content = victim.read_bytes()
        victim.write_bytes(content.replace(b'\\"scale\\": 1.0', b'\\"scale\\": 2.0'))
        assert victim.read_bytes() != content
        assert verify(folder.root).damaged == (victim,)

    def test_finds_objects_that_were_swapped(self, folder: Folder) -> None:
        one, other = folder.paths["a", FINE], folder.paths["b", FINE]
        content = one.read_bytes()
        os.replace(other, one)
        other.write_bytes(content)
        with pytest.raises(InputError, match=f"it holds the object {other.stem}"):
            read_clip(one)
        assert set(verify(folder.root).damaged) == {one, other}

    def test_deletes_on_demand_only_what_is_damaged(self, folder: Folder) -> None:
        victim = folder.paths["b", FINE]
        flip_a_bit(victim)
        verify(folder.root, delete=True)
        assert folder.left() == set(folder.paths.values()) - {victim}
        assert verify(folder.root).damaged == ()

    def test_files_without_a_checksum_are_counted_apart(self, folder: Folder) -> None:
        from safetensors.numpy import save_file

        save_file({"x": np.zeros(3)}, folder.root / "objects" / "old.safetensors", {"clip": "{}"})
        folder.root.joinpath("objects", "ab").mkdir(exist_ok=True)
        os.replace(
            folder.root / "objects" / "old.safetensors", folder.root / "objects" / "ab" / "old.safetensors"
        )
        assert verify(folder.root).unchecked == 1


class TestGarbage:
    def test_keeps_what_a_manifest_needs_at_any_settings(self, folder: Folder) -> None:
        found = collect_garbage(folder.root, [folder.manifest("a"), folder.manifest("b")], folder.hashes)
        assert found.kept == 4
        assert set(found.unneeded) == {folder.paths["c", FINE], folder.paths["c", COARSE]}
        assert found.bytes == sum(path.stat().st_size for path in found.unneeded)
        assert folder.left() == set(folder.paths.values()), "nothing is deleted unasked"

    def test_deletes_on_demand(self, folder: Folder) -> None:
        collect_garbage(folder.root, [folder.manifest("a")], folder.hashes, delete=True)
        assert folder.left() == {folder.paths["a", FINE], folder.paths["a", COARSE]}

    def test_unfinished_files_go_once_they_are_old(self, folder: Folder) -> None:
        fresh, stale = (folder.paths["a", FINE].with_name(f".x.safetensors.{n}") for n in ("new", "old"))
        fresh.write_bytes(b"1")
        stale.write_bytes(b"22")
        os.utime(stale, (time.time() - 9000,) * 2)
        manifests = [folder.manifest(name) for name in "abc"]
        found = collect_garbage(folder.root, manifests, folder.hashes, delete=True)
        assert (found.abandoned, found.unneeded, found.bytes) == ([stale], [], 2)
        assert fresh.exists()
        assert not stale.exists()

    def test_what_does_not_say_where_it_is_from_stays(self, folder: Folder) -> None:
        folder.put("c", FINE, origin=False)
        found = collect_garbage(folder.root, [folder.manifest("a"), folder.manifest("b")], folder.hashes)
        assert (found.unknown, found.unneeded) == (1, [folder.paths["c", COARSE]])

    def test_a_missing_source_file_stops_it(self, folder: Folder) -> None:
        (folder.path / "a.wav").unlink()
        with pytest.raises(InputError, match=r"a\.wav: No such file .* cannot be told from garbage"):
            collect_garbage(folder.root, [folder.manifest("a")], folder.hashes, delete=True)
        assert folder.left() == set(folder.paths.values())


def test_kinds_tell_settings_sizes_and_modalities(folder: Folder) -> None:
    folder.put("c", FINE, origin=False)
    found = {kind.settings: kind for kind in kinds(folder.root)}
    assert len(found) == 3
    fine = next(kind for name, kind in found.items() if "frame_rate 8.0" in name)
    assert (fine.count, fine.patterns) == (2, {"audio": 2})
    assert sum(kind.bytes for kind in found.values()) == sum(path.stat().st_size for path in folder.left())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["store", *arguments])
    return int(caught.value.code or 0)


def put_floor(folder: Folder, key: str, *clips: str) -> Path:
    record = FloorRecord(
        key=key, data_fingerprint="f", task="single_label", classes=("x",), clips=clips, training_clips=1,
        left_out=(), seconds=0.5, floors=(),
    )  # fmt: skip
    write_whole(folder.root / "floors" / f"{key}.json", record.text())
    return folder.root / "floors" / f"{key}.json"


def test_floors_are_listed_verified_and_go_with_their_clips(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, others, both = (
        put_floor(folder, "1", "a"),
        put_floor(folder, "2", "b"),
        put_floor(folder, "3", *"ab"),
    )
    root = ("--root", str(folder.root))
    assert run("ls", *root) == 0
    assert "3 files, 0.0 MB: floors of studies" in capsys.readouterr().out
    found = collect_garbage(folder.root, [folder.manifest("a")], folder.hashes, delete=True)
    assert {others, both} <= set(found.unneeded)
    assert (mine.exists(), others.exists(), both.exists()) == (True, False, False)
    assert found.kept == 3
    assert run("verify", *root) == 0
    mine.write_text(mine.read_text().replace("0.5", "0.6"))
    assert run("verify", *root, "--delete") == 0
    assert not mine.exists()


class TestCommand:
    def test_ls(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("ls", "--root", str(folder.root)) == 0
        out = capsys.readouterr().out
        assert "3 files, 0.0 MB: frame_rate 8.0, frame_size 32" in out
        assert "In all 6 files" in out

    def test_verify_tells_by_its_exit_code(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        root = ("--root", str(folder.root))
        assert run("verify", *root) == 0
        flip_a_bit(folder.paths["a", FINE])
        assert run("verify", *root) == 1
        assert "5 sound, 1 damaged" in capsys.readouterr().out
        assert run("verify", *root, "--delete") == 0
        assert run("verify", *root) == 0

    def test_gc_is_a_dry_run(self, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
        options = ("--root", str(folder.root), "--manifest", str(folder.path / "a.jsonl"))
        assert run("gc", *options) == 0
        assert "4 belong to none" in capsys.readouterr().out
        assert len(folder.left()) == 6
        assert run("gc", *options, "--delete") == 0
        assert len(folder.left()) == 2

    @pytest.mark.parametrize(("arguments", "message"), [
        (("verify", "--root", "nowhere"), "There is no store at nowhere"),
        (("vrify",), "Did you mean 'verify'"),
        ((), "needs an action"),
    ])  # fmt: skip
    def test_mistakes_are_explained(
        self, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(*arguments) == 2
        assert message in capsys.readouterr().err


class TestJpeg:
    def test_frames_come_back_alike_and_smaller(self, tmp_path: Path) -> None:
        y, x = np.mgrid[:64, :80]
        frames = np.stack(
            [127 + 100 * np.sin((x + 3 * t) / 9) * np.cos(y / 7) for t in range(6)]
        )[..., None].repeat(3, axis=3).astype(np.uint8)  # fmt: skip
        clip = StoredClip(frames, np.arange(6.0), np.zeros(10, np.float32))
        write_clip(tmp_path / "raw", clip, "pyav")
        write_clip(tmp_path / "jpeg", clip, "pyav", jpeg_quality=90)
        back = read_clip(tmp_path / "jpeg")
        assert back.frames.shape == frames.shape
        assert back.frames.dtype == np.uint8
        assert np.abs(back.frames.astype(int) - frames).mean() < 2
        assert back.frame_times.tolist() == clip.frame_times.tolist()
        assert back.present == clip.present
        assert (tmp_path / "jpeg").stat().st_size < (tmp_path / "raw").stat().st_size / 3

    def test_a_clip_without_frames_has_none(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "c", CLIP, None, jpeg_quality=90)
        assert len(read_clip(tmp_path / "c").frames) == 0

    @pytest.mark.parametrize("quality", [None, 90])
    @given(chosen=st.sets(st.integers(0, 5)))
    def test_some_of_the_frames_are_those_of_the_whole_clip(
        self, tmp_path_factory: pytest.TempPathFactory, quality: int | None, chosen: set[int]
    ) -> None:
        frames = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), np.uint8)
        clip = StoredClip(frames, np.arange(6.0), np.zeros(10, np.float32))
        path = tmp_path_factory.getbasetemp() / f"chosen{quality}"
        if not path.exists():
            write_clip(path, clip, "pyav", jpeg_quality=quality)
        indices = np.array(sorted(chosen), np.intp)
        with open_clip(path) as file:
            some, whole = file.frames(indices), read_clip(path).frames
        assert some.tolist() == whole[indices].tolist()
        assert some.flags.writeable, "torch takes no others"

    def test_frames_that_are_not_asked_for_are_not_decompressed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_clip(
            tmp_path / "c",
            StoredClip(np.zeros((6, 8, 8, 3), np.uint8), np.arange(6.0)),
            "pyav",
            jpeg_quality=90,
        )
        opened: list[object] = []
        monkeypatch.setattr(Image, "open", lambda file, real=Image.open: (opened.append(file), real(file))[1])
        with open_clip(tmp_path / "c") as file:
            assert len(file.frames(np.array([1, 4]))) == 2
        assert len(opened) == 2

    def test_frames_of_a_damaged_file_are_an_error_that_names_it(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "c", StoredClip(np.zeros((6, 8, 8, 3), np.uint8), np.arange(6.0)), "pyav")
        (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:-20])
        with pytest.raises(InputError, match="c cannot be read"), open_clip(tmp_path / "c") as file:
            file.frames(np.array([0]))

    @pytest.mark.parametrize("quality", [None, 90])
    def test_read_without_its_frames_a_clip_keeps_their_times(
        self, tmp_path: Path, quality: int | None
    ) -> None:
        clip = StoredClip(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4.0), np.ones(10, np.float32))
        write_clip(tmp_path / "c", clip, "pyav", jpeg_quality=quality)
        with open_clip(tmp_path / "c") as file:
            back = file.clip
        assert (len(back.frames), back.frame_times.tolist(), len(back.samples)) == (
            0,
            [0.0, 1.0, 2.0, 3.0],
            10,
        )


def test_garbage_is_collected_for_manifests_that_the_store_knows(folder: Folder) -> None:
    for none in ([], [Manifest((), folder.path)]):
        with pytest.raises(InputError, match="without one, everything would go"):
            collect_garbage(folder.root, none, folder.hashes, delete=True)
    (folder.path / "other.wav").write_bytes(b"other")
    other = Manifest((folder.clip("other"),), folder.path)
    assert len(collect_garbage(folder.root, [other], folder.hashes).unneeded) == 6
    with pytest.raises(InputError, match="so all 6 that are known would be deleted"):
        collect_garbage(folder.root, [other], folder.hashes, delete=True)
    assert all(path.exists() for path in folder.paths.values())
    assert run("store", "gc", "--manifest", "--delete", "--root", str(folder.root)) == 2
    assert all(path.exists() for path in folder.paths.values())
