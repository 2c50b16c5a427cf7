import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvideo.store.decode import (
    DecodeError,
    decode_audio,
    decode_frames,
    decode_video,
    decord_installed,
    probe,
)
from mmvideo.store.media import TOLERANCE, as_float, instants, resize_short_side, shown_at

BACKENDS = [
    "pyav",
    pytest.param("decord", marks=pytest.mark.skipif(not decord_installed(), reason="needs decord")),
]
needs_decord = pytest.mark.skipif(not decord_installed(), reason="needs decord")


def numbers(frames):
    """Which frame of a made video each frame is (see media_files.grey_frame)."""
    return np.round((frames.reshape(len(frames), -1).mean(1) - 16) / 8).astype(int).tolist()


def textured(index, width, height):
    """Coloured blocks that move: any difference in colour conversion or order of frames shows."""
    blocks = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.roll(np.kron(blocks, np.ones((8, 8, 1), np.uint8)), 3 * index, axis=1)


@pytest.mark.parametrize("backend", BACKENDS)
class TestSampling:
    def test_every_instant_takes_the_frame_then_shown(self, video, backend):
        path = video("a.mp4", frames=20, fps=10)
        frames, times = decode_frames(path, rate=4, size=48, backend=backend)
        assert frames.shape == (8, 48, 64, 3)
        assert frames.dtype == np.uint8
        assert times.tolist() == [0.125, 0.375, 0.625, 0.875, 1.125, 1.375, 1.625, 1.875]
        assert numbers(frames) == [1, 3, 6, 8, 11, 13, 16, 18]

    def test_a_span_is_sampled_from_its_own_start(self, video, backend):
        path = video("a.mp4", frames=30, fps=10, options={"g": "5", "bf": "2"})
        frames, times = decode_frames(path, rate=5, start=1.3, end=2.1, size=48, backend=backend)
        assert times.tolist() == pytest.approx([0.1, 0.3, 0.5, 0.7])
        assert numbers(frames) == [14, 16, 18, 20]

    def test_a_variable_frame_rate_is_read_by_time(self, video, backend):
        path = video("a.mp4", frames=5, fps=10, times=[0.0, 0.1, 0.2, 1.0, 1.1])
        frames, _ = decode_frames(path, rate=10, end=1.2, size=48, backend=backend)
        assert numbers(frames) == [0, 1] + [2] * 8 + [3] + [4] * (len(frames) - 11)
        assert 11 <= len(frames) <= 12  # how long the last frame stands is up to the container

    def test_more_instants_than_frames_repeat_frames(self, video, backend):
        frames, _ = decode_frames(video("a.mp4", frames=3, fps=2), rate=4, size=48, backend=backend)
        assert numbers(frames) == [0, 0, 1, 1, 2, 2]

    def test_a_span_shorter_than_a_period_has_one_frame(self, video, backend):
        path = video("a.mp4", frames=20, fps=10)
        frames, times = decode_frames(path, rate=1, start=0.51, end=0.6, size=48, backend=backend)
        assert numbers(frames) == [5]
        assert times.tolist() == [0.0]

    def test_a_span_behind_the_end_is_an_error(self, video, backend):
        with pytest.raises(
            DecodeError, match=r"a\.mp4: the span starts at 7 s but the video ends at 2\.00 s"
        ):
            decode_frames(video("a.mp4", frames=20, fps=10), rate=8, start=7, end=8, size=48, backend=backend)

    def test_the_end_of_the_video_ends_the_span(self, video, backend):
        frames, _ = decode_frames(
            video("a.mp4", frames=20, fps=10), rate=8, start=1, end=99, size=48, backend=backend
        )
        assert len(frames) == 8

    def test_short_side_and_aspect(self, video, backend):
        wide, _ = decode_frames(video("w.mp4", frames=2, size=(96, 64)), rate=8, size=32, backend=backend)
        tall, _ = decode_frames(video("t.mp4", frames=2, size=(64, 96)), rate=8, size=32, backend=backend)
        small, _ = decode_frames(video("s.mp4", frames=2, size=(32, 16)), rate=8, size=32, backend=backend)
        assert (wide.shape[1:], tall.shape[1:], small.shape[1:]) == ((32, 48, 3), (48, 32, 3), (32, 64, 3))

    def test_audio_longer_than_video_adds_no_frames(self, video, click_track, backend):
        path = video("a.mp4", frames=10, fps=10, sound=click_track(3, [0.5]))
        assert len(decode_frames(path, rate=8, size=48, backend=backend)[0]) == 8


@needs_decord
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {}),
        ("b.mkv", {"options": {"bf": "3", "g": "6"}}),
        ("c.mp4", {"codec": "mpeg4"}),
        ("d.mp4", {"pixels": "yuv444p"}),
        ("e.mp4", {"pixels": "yuvj420p"}),
        ("f.mp4", {"options": {"colorspace": "bt709"}}),
        ("g.mp4", {"times": [0.04 * i + 0.01 * (i % 3) for i in range(20)]}),
    ],
)
def test_both_decoders_give_the_same_frames(video, name, how):
    path = video(name, picture=textured, size=(80, 48), fps=25, **how)
    ours, theirs = (decode_video(path, rate=8, size=48, backend=backend) for backend in ("pyav", "decord"))
    np.testing.assert_array_equal(ours.frames, theirs.frames)
    np.testing.assert_allclose(ours.times, theirs.times, atol=1e-12)
    assert decode_video(path, rate=8, size=48).decoder == "decord"


@needs_decord
def test_auto_leaves_avi_to_pyav(video):
    path = video("a.avi", codec="mpeg4", options={"bf": "2", "qmax": "2"}, frames=20, fps=10)
    decoded = decode_video(path, rate=10, size=48)
    assert decoded.decoder == "pyav"
    # AVI stores decoding times only: behind B-frames the first frame is due one period late
    assert numbers(decoded.frames) == [0, *range(20)]


def test_auto_falls_back_to_pyav(video, monkeypatch):
    path = video("a.mp4")
    monkeypatch.setattr("mmvideo.store.decode.video.decord_installed", lambda: False)
    assert decode_video(path, rate=8, size=48).decoder == "pyav"


@needs_decord
def test_what_decord_refuses_goes_to_pyav(video, monkeypatch):
    import decord

    def refuse(*_, **__):
        raise decord.DECORDError("cannot\nat all")

    path = video("a.mp4")
    monkeypatch.setattr(decord, "VideoReader", refuse)
    assert decode_video(path, rate=8, size=48).decoder == "pyav"
    with pytest.raises(DecodeError, match="decord: cannot"):
        decode_video(path, rate=8, size=48, backend="decord")


def test_probe(video, click_track):
    info = probe(video("a.mp4", frames=20, fps=10, size=(64, 48), sound=click_track(1, [0.5])))
    assert (info.has_video, info.has_audio, info.width, info.height) == (True, True, 64, 48)
    assert (info.frame_rate, info.audio_sample_rate, info.rotation) == (10, 16000, 0)
    assert info.duration == pytest.approx(2, abs=0.1)


def test_what_is_no_video_is_refused_by_name(tmp_path, video):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello" * 100)
    whole = video("whole.mp4", picture=textured).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("empty.mp4", "text.mp4", "cut.mp4", "absent.mp4"):
        with pytest.raises(DecodeError, match=name) as caught:
            decode_frames(tmp_path / name, rate=8, size=48)
        assert caught.value.path == tmp_path / name
        assert caught.value.reason


def test_a_truncated_video_is_refused(video, tmp_path):
    path = video("a.mkv", picture=textured, frames=60, fps=10, options={"g": "5"})
    whole = path.read_bytes()
    for share, readable in ((0.3, False), (0.9, True)):
        cut = tmp_path / f"cut{share}.mkv"
        cut.write_bytes(whole[: int(len(whole) * share)])
        if readable:
            assert 30 <= len(decode_frames(cut, rate=8, size=48)[0]) < 48
        else:
            with pytest.raises(DecodeError, match=r"cut0\.3\.mkv: only .* of 6\.00 s of video .* truncated"):
                decode_frames(cut, rate=8, size=48)


def bursts(samples, rate):
    """Times at which a click starts."""
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    return [float(i) / rate for i in loud[np.r_[True, np.diff(loud) > rate // 10]]]


class TestAudio:
    def test_clicks_stay_where_they_are(self, video, click_track):
        path = video("a.mp4", sound=click_track(2, [0.25, 1.5]))
        samples, told = decode_audio(path, sample_rate=16000)
        assert samples.dtype == np.float32
        assert told == ()
        assert bursts(samples, 16000) == pytest.approx([0.25, 1.5], abs=0.003)

    @pytest.mark.parametrize("rate", [8000, 22050])
    def test_resampled_clicks_stay_where_they_are(self, video, click_track, rate):
        samples, _ = decode_audio(video("a.mp4", sound=click_track(2, [0.25, 1.5])), sample_rate=rate)
        assert len(samples) == pytest.approx(2 * rate, abs=0.1 * rate)
        assert bursts(samples, rate) == pytest.approx([0.25, 1.5], abs=0.003)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
    def test_a_span_starts_at_its_start(self, video, click_track, name):
        path = video(name, frames=80, sound=click_track(8, [0.5, 5.25, 6.5]))
        samples, told = decode_audio(path, sample_rate=16000, start=5.0, end=6.0)
        assert (len(samples), told) == (16000, ())
        assert bursts(samples, 16000) == pytest.approx([0.25], abs=0.003)

    def test_a_late_track_is_led_in_with_silence(self, video, click_track):
        path = video(
            "a.mkv", frames=30, sound=click_track(1, [0.25]), sound_codec="pcm_s16le", sound_start=1.0
        )
        samples, _ = decode_audio(path, sample_rate=16000)
        assert bursts(samples, 16000) == pytest.approx([1.25], abs=0.003)
        assert not samples[:15500].any()

    def test_picture_and_sound_share_one_clock(self, video, click_track):
        """A flash at frame 12 of 25 a second and a click at 0.48 s are one event, in every span."""

        def flash(index, width, height):
            return np.full((height, width, 3), 255 if index == 12 else 0, np.uint8)

        path = video("a.mp4", frames=25, fps=25, picture=flash, sound=click_track(1, [0.48]))
        for start in (0.0, 0.2, 0.4):
            frames, times = decode_frames(path, rate=25, start=start, end=0.8, size=48)
            samples, _ = decode_audio(path, sample_rate=16000, start=start, end=0.8)
            seen = times[int(frames.mean(axis=(1, 2, 3)).argmax())] - 0.02
            assert seen == pytest.approx(0.48 - start, abs=0.021)
            assert bursts(samples, 16000) == pytest.approx([0.48 - start], abs=0.003)

    def test_no_track_and_no_sound_in_the_span_are_absent(self, video, click_track):
        assert decode_audio(video("a.mp4"), sample_rate=16000) is None
        path = video("b.mp4", frames=50, sound=click_track(1, [0.5]))
        assert decode_audio(path, sample_rate=16000, start=3.0, end=4.0) is None

    def test_silence_is_sound(self, video, click_track):
        samples, _ = decode_audio(video("a.mp4", sound=click_track(1, [])), sample_rate=16000)
        assert len(samples) >= 15000

    def test_a_damaged_file_is_refused_by_name(self, tmp_path):
        (tmp_path / "a.wav").write_bytes(b"RIFF????")
        with pytest.raises(DecodeError, match=r"a\.wav"):
            decode_audio(tmp_path / "a.wav", sample_rate=16000)


@pytest.mark.parametrize(
    ("low", "zero", "high"),
    [
        (np.uint8(0), np.uint8(128), np.uint8(255)),
        (np.int16(-(2**15)), np.int16(0), np.int16(2**15 - 1)),
        (np.int32(-(2**31)), np.int32(0), np.int32(2**31 - 1)),
        (np.float64(-1), np.float64(0), np.float64(1)),
    ],
)
def test_pcm_of_any_width_has_full_scale_one(low, zero, high):
    assert as_float(np.array([low, zero, high])).tolist() == pytest.approx([-1, 0, 1], abs=0.01)


def test_resizing_is_antialiased():
    checker = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert np.abs(resize_short_side(checker, 16).astype(int) - 127).max() <= 2


@settings(max_examples=200)
@given(
    starts=st.lists(st.integers(0, 4000), min_size=1, max_size=40, unique=True),
    rate=st.sampled_from([1, 4, 7.5, 8, 25, 30]),
    start=st.integers(0, 3000),
    length=st.integers(1, 3000),
)
def test_sampling_against_its_definition(starts, rate, start, length):
    times, begin, end = np.sort(starts) / 1000, start / 1000, (start + length) / 1000
    when = instants(rate, begin, end)
    every = (begin + (k + 0.5) / rate for k in range(int(length * rate) + 2))
    expected = [t for t in every if t < end - TOLERANCE]
    assert when.tolist() == pytest.approx(expected or [begin])
    for t, index in zip(when, shown_at(times, when), strict=True):
        shown = [i for i, s in enumerate(times) if s <= t + TOLERANCE]
        assert index == (shown[-1] if shown else 0)


@needs_decord
class TestRealClips:
    """Real files: no decoder may replace or shift a frame unnoticed."""

    @pytest.mark.parametrize("pattern", ["grid_digits/clips/*.mp4", "odd_media/decord/video_0.mov"])
    def test_ordinary_files_decode_alike(self, shared_data, pattern):
        paths = (
            sorted(shared_data.glob(pattern))[::40]
            if "grid" in pattern
            else sorted(shared_data.glob(pattern))
        )
        assert paths
        for path in paths:
            ours, theirs = (decode_video(path, rate=8, size=64, backend=b) for b in ("pyav", "decord"))
            np.testing.assert_array_equal(ours.frames, theirs.frames, err_msg=path.name)

    def test_rotation_follows_the_metadata(self, shared_data):
        for degrees, shape in ((0, (64, 114)), (90, (114, 64)), (180, (64, 114)), (270, (114, 64))):
            path = shared_data / f"odd_media/decord/video_{degrees}.mov"
            frames, _ = decode_frames(path, rate=8, size=64)
            assert probe(path).rotation == degrees
            assert frames.shape[1:3] == shape
        folder = shared_data / "odd_media/torchcodec"
        plain, turned = (
            decode_frames(folder / name, rate=8, end=0.5, size=64)[0]
            for name in ("nasa_13013.mp4", "nasa_13013_rotated.mp4")
        )
        back = np.rot90(turned, 3, axes=(1, 2))  # its metadata asks for 270° clockwise
        assert np.abs(back.astype(int) - plain).mean() < 0.5

    @pytest.mark.parametrize(
        ("name", "frames", "seconds"),
        [
            ("torchcodec/test_non_zero_start.mp4", 3, None),
            ("torchcodec/discard_first_keyframe.mp4", 8, None),
            ("torchcodec/testsrc2_mpeg4.mp4", 1, None),
            ("torchcodec/nasa_13013.mp4", 104, 13.06),
            ("moviepy/no_duration.webm", 39, 4.88),
            ("moviepy/-video-with-dash-.mp4", 40, None),
            ("moviepy/with-attached-pic.mp3", None, 1.01),
            ("pydub/creative_common.mp4", 18, 2.26),
            ("torchcodec/sine_16ch_s16.wav", None, 1.0),
            ("ravdess_pair/02-01-01-01-01-01-01.mp4", 26, 3.31),
        ],
    )
    def test_odd_files_are_read(self, shared_data, name, frames, seconds):
        path = shared_data / "odd_media" / name
        video = decode_video(path, rate=8, size=64)
        sound = decode_audio(path, sample_rate=16000)
        assert (None if video is None else len(video.frames)) == frames
        assert (None if sound is None else len(sound[0]) / 16000) == (
            seconds and pytest.approx(seconds, abs=0.02)
        )

    @pytest.mark.parametrize("name", ["decord/corrupted.mp4", "moviepy/doc_medias/result.webm"])
    def test_broken_files_are_refused(self, shared_data, name):
        with pytest.raises(DecodeError, match="Invalid data"):
            decode_video(shared_data / "odd_media" / name, rate=8, size=64)
