"""Some 350 odd files from other projects' tests: each is read, or refused with its reason."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mmvideo.clips.extensions import SUBTITLES
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.store.decode import decode_audio, probe
from mmvideo.store.store import Store, StoreSettings
from mmvideo.store.subtitles import read_subtitles

SOUNDS = (".wav", ".mp3")
# what a person found by decoding every frame with PyAV alone: frames at 8 a second, seconds of sound
MEDIA = {
    "decord/flipping_a_pancake.mkv": (83, 10.37),
    "decord/unordered.mov": (1, 0),
    "decord/video_0.mov": (1, 0),
    "decord/video_90.mov": (1, 0),
    "ffmpeg-python/in1.mp4": (56, 7.04),
    "imageio/cockatoo.mp4": (112, 13.90),
    "imageio/realshort.mp4": (10, 1.17),
    "librosa/test2_8000.mkv": (0, 30.24),
    "librosa/test2_8000.wav": (0, 30.20),
    "mmaction2/demo/demo.mp4": (80, 0),
    "mmaction2/tests/data/test.avi": (53, 6.56),
    "moviepy/-video-with-dash-.mp4": (40, 0),
    "moviepy/big_buck_bunny_432_433.webm": (8, 1.01),
    "moviepy/bitmap.mp4": (40, 0),
    "moviepy/chaplin.mp4": (77, 9.61),
    "moviepy/fire2.mp4": (19, 2.42),
    "moviepy/no_duration.webm": (39, 4.88),
    "moviepy/transparent.webm": (40, 4.94),
    "moviepy/video_with_failing_audio.mp4": (90, 11.23),
    "moviepy/with-attached-pic.mp3": (0, 1.01),
    "mpeg2_dvdnav_ac3/10.mpg": (13, 1.66),
    "pydub/creative_common.mp4": (18, 2.26),
    "pydub/test1-8bit.wav": (0, 10.01),
    "pydub/test5.webm": (0, 1.48),
    "ravdess_pair/01-01-01-01-01-01-01.mp4": (26, 3.31),
    "ravdess_pair/02-01-01-01-01-01-01.mp4": (26, 3.31),
    "torchcodec/animated.gif": (3, 0),
    "torchcodec/av1_video.mkv": (40, 0),
    "torchcodec/discard_first_keyframe.mp4": (8, 0),
    "torchcodec/frame_exceeds_screen.gif": (1, 0),
    "torchcodec/h265_10bits.mp4": (8, 0),
    "torchcodec/nasa_13013.mp4": (104, 13.06),
    "torchcodec/nasa_13013_rotated.mp4": (5, 0),
    "torchcodec/reproduce_seek_bug.wav": (0, 1.0),
    "torchcodec/sine_16ch_s16.wav": (0, 1.0),
    "torchcodec/sine_mono_f64.wav": (0, 4.0),
    "torchcodec/sine_mono_s24.wav": (0, 4.0),
    "torchcodec/sine_mono_u8.wav": (0, 4.0),
    "torchcodec/sine_stereo_mp2.mpg": (32, 4.02),
    "torchcodec/test_non_zero_start.mp4": (3, 0),
    "torchcodec/testsrc2_mpeg4.mp4": (1, 0),
    "torchcodec/testsrc2_odd_height_and_width_444.mp4": (8, 0),
    "torchcodec/testsrc2_odd_height_and_width_vp9.mp4": (8, 0),
}
REFUSED = {
    "decord/corrupted.mp4": "Invalid data",
    "moviepy/doc_medias/result.webm": "Invalid data",
    "pydub/test1_empty.wav": "no sound within the clip's span",
}
UNREADABLE_SUBTITLES = 10
WARNED_SUBTITLES = 12


@pytest.fixture(scope="module")
def odd(shared_data: Path) -> Path:
    return shared_data / "odd_media"


@pytest.fixture(scope="module")
def built(odd, tmp_path_factory):
    """The media files, decoded by workers under a time limit, as any manifest's are."""
    files = [p for p in sorted(odd.rglob("*")) if p.is_file() and p.suffix not in SUBTITLES]
    clips = []
    for path in files:
        name = path.relative_to(odd).as_posix()
        field = "audio" if path.suffix in SOUNDS else "video"
        clips.append(Clip(id=name, label="a", group=name, split="train", **{field: name}))
    folder = tmp_path_factory.mktemp("odd")
    store = Store(folder, StoreSettings(frame_rate=8.0, frame_size=32, sample_rate=16000))
    report = store.build(
        Manifest(tuple(clips), odd),
        workers=2,
        time_limit=30,
        max_failed_share=1.0,
        hashes=ContentHashes(folder / "hashes.json"),
        progress=False,
    )
    return store, report


def test_every_file_is_read_or_refused_with_a_reason(built):
    store, report = built
    assert len(report.keys) + len(report.failed) >= 48
    assert set(report.failed) == set(REFUSED)
    for name, reason in REFUSED.items():
        assert reason in report.failed[name]
    assert set(MEDIA) <= set(report.keys)
    for name, (frames, seconds) in MEDIA.items():
        clip = store.read(report.keys[name])
        assert len(clip.frames) == frames, name
        assert len(clip.samples) / 16000 == pytest.approx(seconds, abs=0.02), name
        if frames:
            assert min(clip.frames.shape[1:3]) == 32, name
            assert np.all(np.diff(clip.frame_times) > 0), name


def test_rotation_is_applied(built):
    store, report = built
    for degrees, upright in ((0, False), (90, True), (180, False), (270, True)):
        shape = store.read(report.keys[f"decord/video_{degrees}.mov"]).frames.shape
        assert (shape[1] > shape[2]) == upright


def test_cover_art_is_not_video(built, odd):
    assert built[1].present["moviepy/with-attached-pic.mp3"] == ("audio",)
    assert not probe(odd / "moviepy/with-attached-pic.mp3").has_video


def test_silence_is_a_track_and_not_absence(built):
    store, report = built
    for name, peak in (("01-01-01-01-01-01-01", True), ("02-01-01-01-01-01-01", False)):
        key = f"ravdess_pair/{name}.mp4"
        assert report.present[key] == ("visual", "audio")
        assert store.read(report.keys[key]).samples.any() == peak


def test_any_number_of_channels_and_any_width_becomes_the_same_sine(odd):
    """A sine of amplitude 0.3; of 16 channels all carry it."""
    for name in ("sine_mono_u8", "sine_mono_s24", "sine_mono_f64", "sine_16ch_s16"):
        samples, _ = decode_audio(odd / f"torchcodec/{name}.wav", sample_rate=16000)
        middle = samples[2000:-2000]
        assert np.abs(middle).max() == pytest.approx(0.3, abs=0.01)
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, abs=0.01)


def test_one_recording_in_two_containers_is_aligned_within_a_frame(odd):
    """Vorbis in Matroska starts one block, 32 ms, late by its own timestamps."""
    wav, mkv = (decode_audio(odd / f"librosa/test2_8000.{e}", sample_rate=8000)[0] for e in ("wav", "mkv"))
    size = 2 * len(wav)
    product = np.fft.rfft(wav, size).conj() * np.fft.rfft(mkv[: len(wav)], size)
    assert np.fft.irfft(product).argmax() / 8000 == pytest.approx(0.032, abs=0.001)


def test_sound_and_subtitles_share_the_pictures_clock(odd):
    found = read_subtitles(odd / "torchcodec/nasa_13013.mp4", 4.0, 8.0)
    assert [word.text for word in found.words][:3] == ["Webb", "space", "telescope"]
    assert found.words[1].start == pytest.approx(0.26, abs=0.001)


def test_subtitles_are_read_as_far_as_possible(odd):
    outcomes: Counter[str] = Counter()
    for path in sorted(p for p in odd.rglob("*") if p.suffix in SUBTITLES):
        try:
            found = read_subtitles(path)
        except InputError as error:
            outcomes["refused" if f"{path.name}:" in str(error) else "refused without a line"] += 1
            continue
        outcomes["warned" if found.warnings else "clean"] += 1
        assert all(0 <= word.start <= word.end for word in found.words)
    assert sum(outcomes.values()) >= 298
    assert (outcomes["refused"], outcomes["warned"]) == (UNREADABLE_SUBTITLES, WARNED_SUBTITLES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("subs_cdown-srt/srt_tools/tests/files/gb2312.srt", None),
        ("subs_mozilla-vttjs/cuetext/escape-characters/together.vtt", None),
        ("subs_webvtt-py/missing_timeframe.srt", 12),
        ("subs_webvtt-py/invalid_timeframe.vtt", 18),
        ("subs_webvtt-py/no_captions.vtt", 0),
        ("subs_mozilla-vttjs/regions/lines/correct.vtt", 0),
    ],
)
def test_single_subtitle_files(odd, name, words):
    found = read_subtitles(odd / name)
    if words is not None:
        assert len(found.words) == words
    if "gb2312" in name:
        assert found.warnings == ("gb2312.srt: not UTF-8: read as gb18030",)
        assert all("\u4e00" <= letter <= "\u9fff" for letter in found.words[0].text)
    if "together" in name:
        assert not any(entity in word.text for word in found.words for entity in ("&amp;", "&lt;"))
