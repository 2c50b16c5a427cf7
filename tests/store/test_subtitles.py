from fractions import Fraction
from itertools import pairwise

import av
import pytest
from av.subtitles.subtitle import SubtitleSet
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.errors import InputError
from mmvideo.store.subtitles import Subtitles, Word, _spread, read_subtitles, read_words

SRT = "1\n00:00:01,000 --> 00:00:03,000\n<i>ab</i> {\\an8}cdef\n\n2\n00:00:04,000 --> 00:00:05,000\ngh\n"
ASS = """[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{\\b1}ab cdef
Comment: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,hidden
"""


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def texts(words):
    return [word.text for word in words]


def test_words_share_their_cue_by_characters(file):
    words = read_words(file("a.srt", SRT))
    assert texts(words) == ["ab", "cdef", "gh"]
    assert (words[0].start, words[2].end) == (1.0, 5.0)
    assert words[0].end == words[1].start == pytest.approx(1 + 2 / 3)
    assert words[1].end == 3.0


def test_times_are_relative_to_the_span_and_cut_to_it(file):
    assert read_words(file("a.srt", SRT), start=1.5, end=4.6) == [
        Word("cdef", pytest.approx(1 / 6), 1.5),
        Word("gh", 2.5, pytest.approx(3.1)),
    ]


def test_neighbouring_spans_share_no_word(file):
    path = file("a.srt", SRT)
    for cut in (0.5, 1.2, 2.0, 2.5, 4.5, 9.0):
        assert texts(read_words(path, 0, cut)) + texts(read_words(path, cut)) == ["ab", "cdef", "gh"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.vtt",
            "WEBVTT\n\nNOTE no\n\nx\n00:01.000 --> 00:03.000\nab <00:02.000><c.red>cdef</c>\n\nNOTE z\n",
        ),
        ("a.ass", ASS),
        ("a.SRT", SRT.split("\n\n2")[0]),
        ("bom.srt", b"\xef\xbb\xbf" + SRT.split("\n\n2")[0].encode()),
        ("utf16.srt", SRT.split("\n\n2")[0].encode("utf-16")),
        ("mac.srt", SRT.split("\n\n2")[0].replace("\n", "\r\n")),
    ],
)
def test_formats_and_encodings(file, name, content):
    words = read_words(file(name, content))
    assert texts(words) == ["ab", "cdef"]
    assert (words[0].start, words[-1].end) == (1.0, 3.0)


def test_an_old_encoding_is_recognised(file):
    line = "Не говори никому о том, что ты видел сегодня на этой улице"
    content = f"1\n00:00:01,000 --> 00:00:03,000\n{line}\n".encode("cp1251")
    assert texts(read_words(file("a.srt", content))) == line.split()


def test_entities_become_characters(file):
    assert texts(read_words(file("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nR&amp;D &lt;3\n"))) == [
        "R&D",
        "<3",
    ]


@pytest.mark.parametrize(("name", "content"), [("a.srt", ""), ("b.vtt", "WEBVTT\n"), ("c.srt", " \n\n")])
def test_a_file_without_cues_has_no_words(file, name, content):
    assert read_words(file(name, content)) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.srt", "hello", r"a\.srt:1: .*no timed cue; text without times: 'hello'"),
        ("a.ass", "hello", r"a\.ass:1: .*no timed cue; no section \[Events\]: 'hello'"),
        (
            "a.vtt",
            "WEBVTT\n\n00:01.000 --> 00:0x.000\nlost\n",
            r"a\.vtt:3: .*unreadable times: '00:01.000 --> 00:0x",
        ),
        ("a.srt", bytes(range(256)) * 20, "a.srt"),
        (
            "a.txt",
            "hello",
            r"must be one of \.srt, \.vtt, \.ass, \.ssa, or inside a video file .*not '\.txt'",
        ),
    ],
)
def test_a_malformed_file_is_named(file, name, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_words(file(name, content))
    assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.srt.*No such file"):
        read_words(tmp_path / "gone.srt")


@given(st.lists(st.text("abcéЖ字-", min_size=1), max_size=20), st.floats(0, 1e4), st.floats(0, 60))
def test_spread_words_tile_their_cue(words, start, length):
    spread = _spread(" ".join(words), start, start + length)
    assert texts(spread) == words
    edges = [(word.start, word.end) for word in spread]
    assert all(a[1] == b[0] for a, b in pairwise(edges))
    if words:
        assert edges[0][0] == start
        assert edges[-1][1] == pytest.approx(start + length)


def test_what_can_be_read_is_read_and_the_rest_is_told(file):
    content = (
        SRT
        + "\n3\n00:00:06,000 --> 00:00:0x,000\nlost\n\n4\nuntimed\n\n5\n00:00:08,000 --> 00:00:09,000\nij\n"
    )
    found = read_subtitles(file("a.srt", content))
    assert texts(found.words) == ["ab", "cdef", "gh", "ij"]
    assert found.warnings == (
        "a.srt: line 10: unreadable times: '00:00:06,000 --> 00:00:0x,000'; "
        "line 13: text without times: 'untimed'",
    )
    assert read_subtitles(file("b.srt", SRT)).warnings == ()


def test_many_findings_are_counted(file):
    bad = "".join(f"{i}\n00:00:0{i},000 --> oops\nlost\n\n" for i in range(2, 9))
    (warning,) = read_subtitles(file("a.srt", SRT + "\n" + bad)).warnings
    assert warning.count("unreadable times") == 3
    assert warning.endswith("; and 4 more")


def test_times_inside_a_cue_time_its_words(file):
    cue = "one<00:02.000><c> two</c><00:04.500><c> three</c> <00:09.000>four"
    content = f"WEBVTT\n\n00:01.000 --> 00:05.000\n{cue}\n"
    assert read_words(file("a.vtt", content)) == [
        Word("one", 1.0, 2.0),
        Word("two", 2.0, 4.5),
        Word("three", 4.5, pytest.approx(4.5 + 0.5 * 5 / 9)),
        Word("four", pytest.approx(4.5 + 0.5 * 5 / 9), 5.0),
    ]


def test_words_after_picture_and_sound_are_counted_and_left_out():
    words = (Word("in", 0.0, 1.0), Word("fading", 2.2, 2.6), Word("out", 2.6, 9.0))
    assert Subtitles(words, ("x",)).until(2.0) == Subtitles(
        words[:2], ("x", "1 of 3 words come after picture and sound end (2.00 s)")
    )
    assert Subtitles(words).until(3.0) == Subtitles(words)


HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    b"Style: Default,Arial,16\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def embed(path, codec, cues, picture=False):
    """A video file with a subtitle track; `picture` adds two seconds of video that start at zero."""
    with av.open(str(path), "w") as container:
        if picture:
            video = container.add_stream("libx264", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = container.add_stream(codec)
        stream.codec_context.subtitle_header = HEADER
        stream.time_base = Fraction(1, 1000)
        if picture:
            for _ in range(20):
                container.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(video.encode())
        for number, (start, end, text) in enumerate(cues):
            line = f"{number},0,Default,,0,0,0,,{text}".encode()
            milliseconds = round(1000 * (end - start))
            packet = stream.codec_context.encode_subtitle(SubtitleSet.create(line, 0, milliseconds))
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = round(1000 * start)
            packet.duration = milliseconds
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [
        ("a.mkv", "subrip", False),
        ("a.mkv", "subrip", True),
        ("b.mkv", "ass", True),
        ("c.mp4", "mov_text", False),
        ("c.mp4", "mov_text", True),
        ("d.webm", "webvtt", False),
    ],
)
def test_a_track_inside_a_video_file_is_read(tmp_path, name, codec, picture):
    path = embed(tmp_path / name, codec, [(1, 3, "ab {\\i1}cdef, ok"), (4, 5, "gh")], picture)
    words = read_words(path)
    assert texts(words) == ["ab", "cdef,", "ok", "gh"]
    assert (words[0].start, words[2].end, words[3].start, words[3].end) == (1.0, 3.0, 4.0, 5.0)
    assert [word.start for word in read_words(path, start=3.5, end=4.6)] == [0.5]


def test_a_video_file_without_a_track_of_text_is_refused(video, tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4: the subtitles cannot be read: no subtitle track"):
        read_subtitles(video("a.mp4", frames=2))
    (tmp_path / "b.mkv").write_bytes(b"junk" * 100)
    with pytest.raises(InputError, match=r"b\.mkv: the subtitles cannot be read: Invalid data"):
        read_subtitles(tmp_path / "b.mkv")
