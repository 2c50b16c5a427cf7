from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.data.subtitles import Word, _spread, read_words
from mmvideo.words import InputError

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
        ("a.srt", "hello", "no timed cue"),
        ("a.ass", "hello", "no timed cue"),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:0x.000\nlost\n", "a.vtt"),
        (
            "b.vtt",
            "WEBVTT\n\n00:01.000 --> 00:02.000\nok\n\n00:03.000 --> 00:0x.000\nlost\n",
            "of 2 cues only 1",
        ),
        ("a.txt", "hello", "must be one of .srt, .vtt, .ass, .ssa, not '.txt'"),
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
