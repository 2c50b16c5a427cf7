"""Pictures and sound are those a player shows from time zero on, or the file is refused."""

import os
import re
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.store.decode import DecodeError, decode_audio, decode_video, decord_installed
from mmvideo.store.decode.frames import decoded
from mmvideo.store.decode.geometry import display_matrix
from mmvideo.store.store import Store, StoreSettings

FIXED = 1 << 16
PLAIN = "decord" if decord_installed() else "pyav"


def numbers(frames):
    """Which frame of a made video each frame is (see media_files.grey_frame)."""
    return np.round((frames.reshape(len(frames), -1).mean(1) - 16) / 8).astype(int).tolist()


def shown(path, rate=10, **span):
    return decode_video(path, rate=rate, size=48, **span)


def bursts(samples):
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    return [float(i) / 16000 for i in loud[np.r_[True, np.diff(loud) > 1600]]]


class TestCuts:
    @pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
    @pytest.mark.parametrize("options", [{"g": "12", "bf": "2"}, {"g": "30", "bf": "0"}])
    def test_what_precedes_an_edit_is_decoded_and_not_shown(self, video, click_track, cut, name, options):
        whole = video(name, frames=30, options=options, sound=click_track(3, [2.0]))
        assert shown(whole).decoder == PLAIN
        part = cut(whole, 1.55)
        found = shown(part)
        assert (numbers(found.frames), found.decoder) == (list(range(16, 30)), "pyav")
        assert numbers(shown(part, start=0.4, end=0.8).frames) == [20, 21, 22, 23]
        samples, _ = decode_audio(part, sample_rate=16000)
        assert bursts(samples) == pytest.approx([0.45], abs=0.003)

    @pytest.mark.parametrize("times", [None, [0.1 * k for k in range(30)]], ids=["its pictures", "1 ms"])
    def test_the_last_pictures_of_avi_follow_on_by_its_own_step(self, video, tmp_path, times):
        """B-frames are let out late, the last without a time; what the file counts in may be finer."""
        options = {"g": "12", "bf": "2", "qmax": "2", "sc_threshold": "1000000000"}
        whole = video("a.avi", codec="mpeg4", frames=30, options=options, times=times)
        with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.avi"), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux() if packet.size]
            key = next(n for n, packet in enumerate(packets) if n and packet.is_keyframe)
            first = packets[key].dts
            for packet in packets[key:]:
                packet.stream, packet.pts, packet.dts = stream, None, packet.dts - first
                target.mux(packet)
        seen = [time for time, _ in decoded(tmp_path / "cut.avi", "video", 0.0)]
        assert len(seen) == 30 - 12
        assert np.diff(seen) == pytest.approx(0.1, abs=1e-6)
        assert {26, 27, 28} <= set(numbers(shown(tmp_path / "cut.avi").frames))

    @pytest.mark.skipif(not decord_installed(), reason="needs decord")
    def test_decord_is_refused_where_its_frames_would_be_others(self, video, cut):
        whole = video("a.mp4", frames=30, options={"g": "30"})
        assert numbers(shown(whole, backend="decord").frames) == list(range(30))
        with pytest.raises(DecodeError, match="decord is not known to give the right frames"):
            shown(cut(whole, 1.55), backend="decord")

    @pytest.mark.parametrize(
        ("name", "how", "plain"),
        [
            ("a.mp4", {"options": {"g": "10", "bf": "3"}}, True),
            ("a.mkv", {"options": {"g": "10", "bf": "3"}}, True),
            ("a.mp4", {"options": {"g": "10", "bf": "3", "x264-params": "open-gop=1"}}, False),
            ("a.mkv", {"options": {"g": "10", "x264-params": "intra-refresh=1"}}, False),
            ("a.mp4", {"codec": "mpeg4", "options": {"g": "10", "bf": "2", "qmax": "2"}}, False),
            ("a.mp4", {"times": [*(0.1 * k for k in range(15)), *(2.7 + 0.1 * k for k in range(15))]}, False),
        ],
        ids=["mp4", "mkv", "open groups", "intra refresh", "mpeg4 with B-frames", "a gap"],
    )
    def test_decord_reads_what_is_as_plain_as_can_be(self, video, name, how, plain):
        path = video(name, frames=30, **how)
        whole, span = shown(path), shown(path, start=2.2, end=2.9)
        assert whole.decoder == (PLAIN if plain else "pyav")
        expected = list(range(30)) if "times" not in how else [*range(14), *[14] * 13, *range(15, 30)]
        assert numbers(whole.frames)[: len(expected)] == expected
        assert numbers(span.frames) == expected[22:29]


class TestClocks:
    @pytest.fixture
    def part(self, video, click_track):
        def made(name, frames, start=0.0, first=0):
            def grey(index, width, height):
                return np.full((height, width, 3), 16 + 8 * (first + index), np.uint8)

            times = [start + k / 10 for k in range(frames)]
            sound = click_track(frames / 10, [0.55])
            how = {"times": times, "sound": sound, "sound_start": start}
            return video(name, frames=frames, picture=grey, **how).read_bytes()

        return made

    @pytest.mark.parametrize("second", [0.0, 1000.0], ids=["joined", "jump"])
    def test_parts_are_laid_end_to_end(self, part, tmp_path, second):
        parts = [part("a.ts", 12), part("b.ts", 16, second, first=12)]
        (tmp_path / "joined.ts").write_bytes(b"".join(parts))
        found = shown(tmp_path / "joined.ts")
        assert sorted(set(numbers(found.frames))) == list(range(28))
        assert numbers(found.frames) == sorted(numbers(found.frames))
        assert len(found.frames) == pytest.approx(28, abs=3)
        assert found.warnings == ("joined.ts: its clock jumps, its 2 parts are laid end to end",)
        samples, told = decode_audio(tmp_path / "joined.ts", sample_rate=16000)
        assert told == found.warnings
        flash = found.times[numbers(found.frames).index(17)]  # half a second into the second part
        assert bursts(samples)[-1] == pytest.approx(flash, abs=0.11)
        span = shown(tmp_path / "joined.ts", start=2.0, end=2.5)
        assert numbers(span.frames) == numbers(found.frames)[20:25]

    def test_the_picture_goes_on_where_sound_laps_over(self, part, tmp_path):
        parts = [part("a.ts", 12), part("b.ts", 16, first=12)]  # with longer sound
        (tmp_path / "joined.ts").write_bytes(b"".join(parts))
        pictures = [time for time, _ in decoded(tmp_path / "joined.ts", "video", 0.0)]
        assert np.diff(pictures) == pytest.approx(0.1, abs=1e-3)
        alone = [decode_audio(tmp_path / name, sample_rate=16000)[0] for name in ("a.ts", "b.ts")]
        samples, _ = decode_audio(tmp_path / "joined.ts", sample_rate=16000)
        again = bursts(samples)[1] - bursts(samples)[0]
        assert again == pytest.approx(1.2 + bursts(alone[1])[0] - bursts(alone[0])[0], abs=0.002)
        assert len(samples) < sum(map(len, alone))

    def test_times_that_go_back_are_those_of_the_file_the_packets_came_from(self, video, tmp_path):
        """AVI tells when packets are decoded; copied into MP4 as they are, these count as shown then."""
        whole = video("a.mp4", frames=30, codec="mpeg4", options={"g": "12", "bf": "2"})
        for name in ("a.avi", "copied.mp4"):
            with av.open(str(whole)) as source, av.open(str(tmp_path / name), "w") as target:
                stream = target.add_stream_from_template(source.streams.video[0])
                for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
                    packet.pts = packet.dts = round(number / 10 / packet.time_base)
                    packet.stream = stream
                    target.mux(packet)
        first, copied = shown(tmp_path / "a.avi"), shown(tmp_path / "copied.mp4")
        assert numbers(copied.frames)[3 : len(first.frames)] == numbers(first.frames)[3:]
        span = shown(tmp_path / "copied.mp4", start=1.5, end=2.5)
        assert numbers(span.frames) == numbers(copied.frames)[15:25]

    @pytest.mark.parametrize("start", [95440.5, 40000.0])
    def test_a_clock_may_start_and_wrap_anywhere(self, part, tmp_path, start):
        (tmp_path / "wrapped.ts").write_bytes(part("a.ts", 28, start))
        found = shown(tmp_path / "wrapped.ts")
        assert sorted(set(numbers(found.frames))) == list(range(28))
        samples, _ = decode_audio(tmp_path / "wrapped.ts", sample_rate=16000)
        assert len(samples) / 16000 == pytest.approx(2.9, abs=0.1)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
    def test_what_is_no_sound_is_refused(self, click_track, tmp_path, bad):
        samples = click_track(1, [0.5])
        samples[700] = bad
        with av.open(str(tmp_path / "a.wav"), "w") as container:
            stream = container.add_stream("pcm_f32le", rate=16000, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
            frame.sample_rate = 16000
            container.mux([*stream.encode(frame), *stream.encode()])
        with pytest.raises(
            DecodeError, match=r"a\.wav: its sound has samples that are no numbers, or beyond"
        ):
            decode_audio(tmp_path / "a.wav", sample_rate=16000)

    def test_small_files_do_not_become_gigabytes(self, video, monkeypatch):
        def grey(_index, width, height):
            return np.full((height, width, 3), 50, np.uint8)

        how = {"codec": "mjpeg", "pixels": "yuvj444p", "frames": 1, "picture": grey}
        with pytest.raises(DecodeError, match=r"\(2x256\) are over 32 times as long as wide"):
            shown(video("line.mkv", size=(2, 256), **how))
        with pytest.raises(DecodeError, match=r"\(160x12\) are over 32 times as long as wide"):
            shown(video("wide.mkv", size=(160, 12), aspect=Fraction(4), **how))
        monkeypatch.setattr("mmvideo.store.decode.geometry.MOST_PIXELS", 64 * 48)
        assert len(shown(video("a.mkv", **how)).frames) == 1
        with pytest.raises(DecodeError, match="64x50 pixels, more than 3,072"):
            shown(video("huge.mkv", size=(64, 50), **how))

    def test_what_is_filled_in_is_told_and_bounded(self, video, click_track, tmp_path):
        slow = video("slow.mkv", frames=4, times=[0.0, 0.1, 6.0, 6.1])
        assert shown(slow, rate=4).warnings == ("slow.mkv: 4.9 s are filled with frozen pictures",)
        sound = click_track(1, [0.5])
        late = video("late.mkv", frames=2, sound=sound, sound_codec="pcm_s16le", sound_start=7.0)
        assert decode_audio(late, sample_rate=16000)[1] == ("late.mkv: 7.0 s are filled with silence",)
        far = video("far.mkv", frames=4, times=[0.0, 0.1, 90000.0, 90000.1])
        with pytest.raises(DecodeError, match=r"far\.mkv: 89,999 s would be filled with frozen pictures"):
            shown(far)
        far = video("farther.mkv", frames=2, sound=sound, sound_codec="pcm_s16le", sound_start=90000.0)
        with pytest.raises(DecodeError, match=r"would be filled with silence"):
            decode_audio(far, sample_rate=16000)

    def test_the_store_keeps_and_counts_the_warnings(self, video, tmp_path):
        video("slow.mkv", frames=4, times=[0.0, 0.1, 6.0, 6.1])
        manifest = Manifest((Clip(id="a", label="x", group="a", split="train", video="slow.mkv"),), tmp_path)
        store = Store(tmp_path / "store", StoreSettings(4.0, 48, 16000))
        how = {"workers": 1, "time_limit": 60, "max_failed_share": 0.0, "progress": False}
        told = {"a": ("slow.mkv: 4.9 s are filled with frozen pictures",)}
        for _ in range(2):
            report = store.build(manifest, hashes=ContentHashes(tmp_path / "hashes.json"), **how)
            assert report.warnings == told


class TestGeometry:
    @pytest.mark.parametrize(
        ("aspect", "shape"),
        [((16, 9), (48, 114)), ((1, 2), (72, 48)), ((10, 11), (48, 58)), ((300, 299), (48, 64))],
        ids=["wide", "narrow", "tape", "rounded"],
    )
    def test_pixels_become_square(self, video, aspect, shape):
        path = video("a.mp4", frames=5, aspect=Fraction(*aspect))
        assert shown(path).frames.shape[1:3] == shape

    def test_pixels_that_cannot_be_meant_are_refused(self, video):
        with pytest.raises(DecodeError, match="its pixels are said to be 40 times as wide as high"):
            shown(video("a.mkv", frames=5, aspect=Fraction(40, 1)))

    @pytest.mark.parametrize(
        ("a", "b", "c", "d", "turn"),
        [
            (1, 0, 0, 1, lambda p: p),
            (0, 1, -1, 0, lambda p: np.rot90(p, -1)),
            (-1, 0, 0, -1, lambda p: np.rot90(p, 2)),
            (0, -1, 1, 0, np.rot90),
            (-1, 0, 0, 1, lambda p: p[:, ::-1]),
            (1, 0, 0, -1, lambda p: p[::-1]),
            (0, 1, 1, 0, lambda p: p.swapaxes(0, 1)),
            (0, -1, -1, 0, lambda p: np.rot90(p, 2).swapaxes(0, 1)),
        ],
        ids=["none", "90", "180", "270", "hflip", "vflip", "transpose", "antitranspose"],
    )
    def test_display_matrices_turn_and_mirror(self, video, a, b, c, d, turn):
        def corners(index, width, height):
            levels = np.array([[0, 80], [160, 240]], np.uint8)
            return np.kron(levels, np.ones((height // 2, width // 2), np.uint8))[..., None].repeat(3, 2)

        matrix = [a * FIXED, b * FIXED, 0, c * FIXED, d * FIXED, 0, 0, 0, 1 << 30]
        found = shown(video("a.mp4", frames=5, picture=corners, matrix=matrix)).frames[2]
        expected = turn(corners(0, 64, 48))
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 8

    def test_looking_at_a_matrix_keeps_no_frame(self, video):
        """A frame and its side data hold each other where asked in the usual way, and are never collected."""
        status = Path("/proc/self/status")
        if not status.exists():
            pytest.skip("needs Linux's account of a process's memory")
        path = video("a.mp4", frames=2, size=(1280, 960), matrix=[FIXED, 0, 0, 0, -FIXED, 0, 0, 0, 1 << 30])

        def megabytes_after(looks):
            for _ in range(looks):
                with av.open(str(path)) as container:
                    assert display_matrix(next(container.decode(video=0))) is not None
            resident = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
            return int(resident.split()[1]) / 1024

        settled = megabytes_after(5)
        assert megabytes_after(60) - settled < 30  # a frame has 1.8 MB

    def test_slanted_pictures_are_refused(self, video):
        matrix = [
            int(0.8 * FIXED),
            int(0.6 * FIXED),
            0,
            int(-0.6 * FIXED),
            int(0.8 * FIXED),
            0,
            0,
            0,
            1 << 30,
        ]
        with pytest.raises(DecodeError, match="not by right angles"):
            shown(video("a.mp4", frames=5, matrix=matrix))

    def test_interlaced_material_is_told(self, video):
        path = video("a.mkv", frames=5, options={"x264-params": "tff=1"})
        assert shown(path).warnings == ("a.mkv: interlaced, its half pictures are woven",)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.ogv", "libtheora", "yuv420p"),
        ("a.m2ts", "libx264", "yuv420p"),
        ("a.mts", "libx264", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.flv", "flv", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
    ],
)
def test_any_container(video, name, codec, pixels):
    try:
        path = video(name, frames=12, codec=codec, pixels=pixels)
    except ValueError as error:  # the encoder is not in this build, or the ending is not known to it
        pytest.skip(f"{name} cannot be made here: {error}")
    found = numbers(shown(path).frames)
    assert sorted(set(found)) == pytest.approx(list(range(12)), abs=1)
    assert found == sorted(found)


def test_frames_of_a_gif_last_as_long_as_they_say(video):
    path = video("a.gif", codec="gif", pixels="gray", frames=4, times=[0.0, 0.1, 0.7, 0.8])
    assert numbers(shown(path).frames)[:8] == [0, 1, 1, 1, 1, 1, 1, 2]


PLAYLISTS = {
    "playlist.mp4": "ffconcat version 1.0\nfile whole.mp4\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n",
    "stream.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 33\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><BaseURL>whole.mp4</BaseURL></Period></MPD>",
    "meta.mp4": ";FFMETADATA1\ntitle=x\n",
    "words.mp4": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
}


LARGE = """
import resource, sys
from mmvideo.store.decode import DecodeError, decode_video, probe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    for read in (probe, lambda path: decode_video(path, rate=2, size=48)):
        try:
            print("read", read(path))
        except DecodeError as error:
            print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, "MB")
"""


def test_pictures_of_a_quarter_of_a_billion_pixels_are_refused_before_memory_is_taken(video, tmp_path):
    gif = bytearray(video("a.gif", frames=2, codec="gif", pixels="rgb8").read_bytes())
    gif[6:10] = (16000).to_bytes(2, "little") * 2
    png = video("a.mov", frames=2, codec="png", pixels="rgb24").read_bytes()
    size = (64).to_bytes(4) + (48).to_bytes(4)
    assert b"IHDR" + size in png
    (tmp_path / "large.gif").write_bytes(gif)
    (tmp_path / "large.mov").write_bytes(png.replace(b"IHDR" + size, b"IHDR" + (16000).to_bytes(4) * 2))
    files = [tmp_path / "large.gif", tmp_path / "large.mov"]
    done = subprocess.run([sys.executable, "-c", LARGE, *files], capture_output=True, text=True, check=True)
    *told, memory = done.stdout.splitlines()
    assert len(told) == 4
    assert all("more than 67,108,864" in line for line in told)
    assert int(memory.split()[0]) < 150


class TestWhatIsNotAVideo:
    @pytest.mark.parametrize("name", PLAYLISTS)
    def test_lists_that_name_other_files_are_refused(self, video, tmp_path, name):
        video("whole.mp4")
        (tmp_path / name).write_text(PLAYLISTS[name])
        for decode in (lambda path: shown(path), lambda path: decode_audio(path, sample_rate=16000)):
            with pytest.raises(DecodeError, match=r"not a video or sound file of a format|Invalid data"):
                decode(tmp_path / name)

    def test_pictures_and_their_patterns_are_refused(self, tmp_path):
        from PIL import Image

        for name in ("p001.png", "p%03d.png"):
            Image.new("RGB", (64, 48)).save(tmp_path / name)
            with pytest.raises(DecodeError, match="not a video or sound file of a format"):
                shown(tmp_path / name)

    def test_what_is_no_file_is_refused_before_it_is_opened(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.mp4")
        (tmp_path / "folder.mp4").mkdir()
        (tmp_path / "device.mp4").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "s.mp4"))
        for name, kind in (("pipe", "a pipe"), ("folder", "a folder"), ("device", "device"), ("s", "socket")):
            with pytest.raises(DecodeError, match=f"{kind}.*not a file"):
                shown(tmp_path / f"{name}.mp4")
            with pytest.raises(OSError, match="not a file"):
                ContentHashes(tmp_path / "hashes.json").sha256(tmp_path / f"{name}.mp4")


def test_frames_that_cannot_be_decoded_are_told(video, tmp_path):
    """Without the packet that others build on, HEVC decoders leave those out."""
    whole = video(
        "a.mp4", frames=60, codec="libx265", options={"x265-params": "keyint=30:bframes=4:log-level=none"}
    )
    assert shown(whole).warnings == ()
    hurt = tmp_path / "hurt.mp4"
    with av.open(str(whole)) as source, av.open(str(hurt), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.dts is not None and number != 12:
                packet.stream = stream
                target.mux(packet)
    lost, damaged = shown(hurt).warnings
    assert re.match(r"hurt.mp4: \d+ frames could not be decoded", lost)
    assert re.match(r"hurt.mp4: errors beside \d+ decoded frames, which may be damaged \(hevc: ", damaged)


def test_pictures_that_decoders_mend_are_told(video, tmp_path):
    def noise(index, width, height):
        return np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)

    whole = video("a.ts", picture=noise, options={"g": "20"})
    hurt = tmp_path / "hurt.ts"
    with av.open(str(whole)) as source, av.open(str(hurt), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            data = bytearray(bytes(packet))
            if number == 5:
                del data[len(data) // 3 :]
            copy = av.Packet(bytes(data))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            target.mux(copy)
    assert shown(whole).warnings == ()
    assert re.match(r"hurt.ts: errors beside \d+ decoded frames, which may be", shown(hurt).warnings[-1])
