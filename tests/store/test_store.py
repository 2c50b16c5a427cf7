import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.store.clip_format import StoredClip, read_clip, write_clip
from mmvideo.store.decode import decord_installed
from mmvideo.store.store import Store, StoreSettings, fingerprint
from mmvideo.store.subtitles import Word

SETTINGS = StoreSettings(frame_rate=8.0, frame_size=32, sample_rate=16000)
SRT = "1\n00:00:00,500 --> 00:00:01,000\nhello there\n"


def clip(name, **files):
    return Clip(id=name, label="a", group=name, split="train", **files)


@pytest.fixture
def media(video, click_track, tmp_path):
    """Three small files: with sound and words, mute, and damaged."""
    video("full.mp4", frames=20, sound=click_track(2, [0.25]))
    video("mute.mp4", frames=5)
    (tmp_path / "full.srt").write_text(SRT)
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"junk" * 50)
    return tmp_path


@pytest.fixture
def build(media):
    def run(*clips, settings=SETTINGS, store="store", **options):
        manifest = Manifest(clips, media)
        opened = Store(media / store, settings)
        options = {"workers": 1, "time_limit": 60, "max_failed_share": 0.0, "progress": False} | options
        report = opened.build(manifest, hashes=ContentHashes(media / "hashes.json"), **options)
        return opened, manifest, report

    return run


FULL = clip("full", video="full.mp4", subtitles="full.srt")
MUTE = clip("mute", video="mute.mp4")
BROKEN = clip("broken", video="broken.mp4")


def test_a_built_clip_is_read_as_decoded_and_not_built_again(build, media):
    silent = clip("silent words", subtitles="full.srt")
    span = clip("span", video="full.mp4", start=1.0, end=1.5)
    store, _, report = build(FULL, MUTE, silent, span)
    assert (report.built, report.reused, report.failed) == (4, 0, {})
    assert report.present == {
        "full": ("visual", "audio", "text"),
        "mute": ("visual",),
        "silent words": ("text",),
        "span": ("visual", "audio"),
    }
    full = store.read(report.keys["full"])
    assert full.frames.shape == (16, 32, 43, 3)
    assert full.frame_times[:2].tolist() == [0.0625, 0.1875]
    assert np.argmax(np.abs(full.samples) > 0.2) / 16000 == pytest.approx(0.25, abs=0.003)
    assert full.words == (Word("hello", 0.5, 0.75), Word("there", 0.75, 1.0))
    mute = store.read(report.keys["mute"])
    assert (len(mute.frames), len(mute.samples), mute.words) == (4, 0, ())
    part = store.read(report.keys["span"])
    assert (len(part.frames), len(part.samples)) == (4, 8000)
    assert part.frame_times[0] == 0.0625

    _, _, again = build(FULL, MUTE, silent, span)
    assert (again.built, again.reused) == (0, 4)
    assert (again.keys, again.present) == (report.keys, report.present)
    assert "1 with visual+audio+text" in report.summary()


def test_keys_name_content_span_and_settings_but_not_paths(media):
    hashes = ContentHashes(media / "hashes.json")
    store, manifest = Store(media / "s", SETTINGS), Manifest((), media)
    key = store.key(FULL, manifest, hashes)
    (media / "moved.mp4").write_bytes((media / "full.mp4").read_bytes())
    moved = clip("other", video="moved.mp4", subtitles="full.srt")
    assert store.key(moved, manifest, hashes) == key
    (media / "other.srt").write_text(SRT + "\n")
    others = [
        store.key(clip("x", video="mute.mp4", subtitles="full.srt"), manifest, hashes),
        store.key(clip("x", video="full.mp4"), manifest, hashes),
        store.key(clip("x", video="full.mp4", subtitles="other.srt"), manifest, hashes),
        store.key(clip("x", audio="full.mp4", subtitles="full.srt"), manifest, hashes),
        store.key(FULL.model_copy(update={"end": 1.0}), manifest, hashes),
        store.key(FULL.model_copy(update={"start": 1.0}), manifest, hashes),
    ]
    for change in ({"frame_rate": 4.0}, {"frame_size": 48}, {"sample_rate": 8000}, {"backend": "pyav"}):
        others.append(Store(media / "s", replace(SETTINGS, **change)).key(FULL, manifest, hashes))
    assert len({key, *others}) == len(others) + 1


class TestWithoutPicturesOrSound:
    """What no run reads is not decoded, and is another object of the store."""

    @pytest.mark.parametrize(
        ("without", "present"),
        [
            ({"frame_size": None}, ("audio", "text")),
            ({"sample_rate": None}, ("visual", "text")),
            ({"frame_size": None, "sample_rate": None}, ("text",)),
        ],
    )
    def test_the_rest_is_as_it_would_be_with_them(self, build, without, present):
        whole, _, every = build(FULL)
        store, _, report = build(FULL, settings=replace(SETTINGS, **without))
        assert report.present["full"] == present
        assert report.keys["full"] != every.keys["full"]
        clip, complete = store.read(report.keys["full"]), whole.read(every.keys["full"])
        assert clip.words == complete.words
        if "visual" in present:
            assert np.array_equal(clip.frames, complete.frames)
            assert np.array_equal(clip.frame_times, complete.frame_times)
        if "audio" in present:
            assert np.array_equal(clip.samples, complete.samples)

    def test_keys_differ_from_each_other(self, media):
        hashes, manifest = ContentHashes(media / "hashes.json"), Manifest((), media)
        kinds = [
            replace(SETTINGS, frame_size=size, sample_rate=rate)
            for size in (32, None)
            for rate in (16000, None)
        ]
        assert len({Store(media / "s", kind).key(FULL, manifest, hashes) for kind in kinds}) == 4

    def test_a_stream_that_is_not_wanted_is_neither_missed_nor_looked_at(self, build, media):
        """Of a mute file, sound alone; of a file that no decoder can read, nothing."""
        _, _, report = build(MUTE, settings=replace(SETTINGS, frame_size=None))
        assert (report.failed, report.present) == ({}, {"mute": ()})
        _, _, report = build(MUTE, settings=replace(SETTINGS, sample_rate=None))
        assert report.present == {"mute": ("visual",)}
        neither = replace(SETTINGS, frame_size=None, sample_rate=None)
        _, _, report = build(BROKEN, FULL, settings=neither)
        assert (report.failed, report.present) == ({}, {"broken": (), "full": ("text",)})
        assert not report.decoders
        with pytest.raises(InputError, match="1 of 1 clips"):
            build(BROKEN, settings=replace(SETTINGS, frame_size=None))


def test_failures_are_listed_remembered_and_retried_on_demand(build, media):
    (media / "bad.srt").write_text("no cues here")
    clips = (FULL, BROKEN, clip("bad words", subtitles="bad.srt"), clip("gone", video="gone.mp4"))
    _, manifest, report = build(*clips, max_failed_share=0.75)
    assert (report.built, set(report.failed)) == (1, {"broken", "bad words", "gone"})
    assert "broken.mp4: Invalid data" in report.failed["broken"]
    assert "no timed cue" in report.failed["bad words"]
    assert "No such file" in report.failed["gone"]
    assert set(report.keys) == set(report.present) == {"full"}

    remembered = read_json(media / "store" / "failures.json")
    assert {failure["clip"] for failure in remembered.values()} == {"broken", "bad words"}
    for failure in remembered.values():
        failure["reason"] = "as remembered"
    write_json(media / "store" / "failures.json", remembered)
    _, _, again = build(*clips, max_failed_share=0.75)
    assert again.failed["broken"] == "as remembered"
    _, _, retried = build(*clips, max_failed_share=0.75, retry=True)
    assert "Invalid data" in retried.failed["broken"]

    assert fingerprint(manifest, report) == fingerprint(manifest, retried)


def test_too_many_failures_stop_the_work_and_keep_what_was_built(build):
    with pytest.raises(InputError, match=r"1 of 2 clips \(50\.0%\) failed") as caught:
        build(FULL, BROKEN, max_failed_share=0.4)
    assert "broken: " in str(caught.value)
    assert "max_failed_share" in str(caught.value)
    assert "failures.json" in str(caught.value)
    _, _, report = build(FULL)
    assert (report.built, report.reused) == (0, 1)


FAKE_DECORD = """
import os, signal, time
DECORDError = DECORDLimitReachedError = RuntimeError
class logging:
    QUIET = 0
    set_level = staticmethod(lambda level: None)
def VideoReader(path, **_):
    {misdeed}
"""


@pytest.fixture
def bad_decord(tmp_path, monkeypatch):
    """Puts a module called decord before the real one on the path that workers inherit."""

    def install(misdeed):
        (tmp_path / "fake").mkdir()
        (tmp_path / "fake" / "decord.py").write_text(FAKE_DECORD.format(misdeed=misdeed))
        monkeypatch.syspath_prepend(tmp_path / "fake")

    return install


@pytest.mark.parametrize(
    ("misdeed", "limit", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 60, "decoding: its process died (SIGSEGV)"),
        ("time.sleep(600)", 1.5, "decoding: it took longer than 1.5 s"),
    ],
)
def test_a_worker_that_dies_or_hangs_loses_only_its_clip(build, bad_decord, media, misdeed, limit, reason):
    bad_decord(misdeed)
    words = clip("words", subtitles="full.srt")
    _, _, report = build(
        words, MUTE, settings=replace(SETTINGS, backend="decord"), time_limit=limit, max_failed_share=0.5
    )
    assert report.built == 1
    assert list(report.failed) == ["mute"]
    assert reason in report.failed["mute"]
    standing = Store(media / "store", SETTINGS)._standing_failures
    assert standing(limit)
    assert not standing(limit + 1)  # with more time it is worth another try


@pytest.mark.skipif(not decord_installed(), reason="needs decord")
def test_what_kills_decord_is_given_to_pyav(build, bad_decord):
    bad_decord("os._exit(3)")
    _, _, report = build(FULL)
    assert report.failed == {}
    assert report.decoders == {"pyav": 1}


def test_two_builders_at_once_agree(build):
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(build(FULL, MUTE)[2])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 2
    assert reports[0].keys == reports[1].keys
    _, _, after = build(FULL, MUTE)
    assert (after.built, after.reused) == (0, 2)


def test_the_fingerprint_sees_what_runs_see_and_nothing_else(build):
    _, manifest, report = build(FULL, MUTE)
    name = fingerprint(manifest, report)
    assert fingerprint(Manifest((MUTE, FULL), manifest.root / "elsewhere"), report) == name
    for update in ({"split": "test"}, {"label": "b"}, {"group": "g"}, {"metadata": {"title": "t"}}):
        changed = Manifest((FULL, MUTE.model_copy(update=update)), manifest.root)
        assert fingerprint(changed, report) != name
    without = replace(report, keys={"full": report.keys["full"]})
    assert fingerprint(manifest, without) != name


def test_samples_survive_storage_within_half_a_step(tmp_path):
    for scale in (0.001, 1.0, 4.0):
        samples = (scale * np.sin(np.arange(1000))).astype(np.float32)
        write_clip(tmp_path / "c", StoredClip(samples=samples), None)
        assert np.abs(read_clip(tmp_path / "c").samples - samples).max() <= 0.51 * max(1, scale) / 32767


def test_reading_a_missing_or_damaged_clip_says_what_to_do(tmp_path):
    store = Store(tmp_path, SETTINGS)
    with pytest.raises(InputError, match="build the store again"):
        store.read("ab" * 32)
    path = tmp_path / "objects" / "ab" / f"{'ab' * 32}.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"junk")
    with pytest.raises(InputError, match="Delete it"):
        store.read("ab" * 32)


def test_a_rerun_over_thousands_of_clips_and_a_read_are_fast(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # as slow as the disk is
    clips = tuple(clip(str(i), subtitles=f"{i}.srt") for i in range(3000))
    for i in range(3000):
        (tmp_path / f"{i}.srt").write_text(SRT + "\n" * i)
    store, manifest, hashes = (
        Store(tmp_path / "s", SETTINGS),
        Manifest(clips, tmp_path),
        ContentHashes(tmp_path / "h"),
    )
    picture = np.zeros((8, 64, 64, 3), np.uint8)
    stored = StoredClip(picture, np.arange(8.0), np.zeros(16000, np.float32), (Word("hello", 0.0, 1.0),))
    for one in clips:
        write_clip(store._object(store.key(one, manifest, hashes)), stored, "pyav")
    options = {"workers": 1, "time_limit": 9, "max_failed_share": 0.0, "hashes": hashes}
    store.build(manifest, **options)
    started = time.process_time()  # other processes of the machine do not count
    report = store.build(manifest, **options | {"hashes": ContentHashes(tmp_path / "h")})
    spent = time.process_time() - started
    assert spent < 1
    assert report.reused == 3000
    times = []
    for key in list(report.keys.values())[:300]:
        started = time.process_time()
        store.read(key)
        times.append(time.process_time() - started)
    assert np.median(times) < 300e-6


def test_a_worker_starts_without_torch_or_pydantic():
    code = (
        "import sys, mmvideo.store.builder\n"
        "print([name for name in ('torch', 'pydantic', 'rich') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
