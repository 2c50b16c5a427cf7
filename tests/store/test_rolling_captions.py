"""Each word of automatic captions once, at its own time; what a person says twice stays twice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.store.rolling_captions import without_repeats
from mmvideo.store.subtitle_parser import Cue
from mmvideo.store.subtitles import read_words

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.400 --> 00:00:02.600 align:start position:0%
\x20
red<00:00:00.800><c> kites</c><00:00:01.200><c> climb</c><00:00:01.700><c> over</c>

00:00:02.600 --> 00:00:02.610 align:start position:0%
red kites climb over
\x20

00:00:02.610 --> 00:00:05.000 align:start position:0%
red kites climb over
the<00:00:03.000><c> quiet</c><00:00:03.500><c> harbour</c><00:00:04.200><c> at</c>

00:00:05.000 --> 00:00:05.010 align:start position:0%
the quiet harbour at
\x20

00:00:05.010 --> 00:00:06.800 align:start position:0%
the quiet harbour at
noon
"""
TIMES = [0.4, 0.8, 1.2, 1.7, 2.61, 3.0, 3.5, 4.2, 5.01]
WORDS = "red kites climb over the quiet harbour at noon"
# as FFmpeg 7 writes it from the above: no times inside, a carriage return within a cue, blank first lines
CONVERTED = (
    "1\n00:00:00,400 --> 00:00:02,600\n\r\nred kites climb over\n\n"
    "2\n00:00:02,600 --> 00:00:02,610\nred kites climb over\r\n \n\n"
    "3\n00:00:02,610 --> 00:00:05,000\nred kites climb over\r\nthe quiet harbour at\n\n"
    "4\n00:00:05,000 --> 00:00:05,010\nthe quiet harbour at\r\n \n\n"
    "5\n00:00:05,010 --> 00:00:06,800\nthe quiet harbour at\r\nnoon\n"
)
# each line shown until the one after it ends
WINDOW = (
    "1\n00:00:00,400 --> 00:00:05,000\nred kites climb over\n\n"
    "2\n00:00:02,610 --> 00:00:06,800\nthe quiet harbour at\n\n"
    "3\n00:00:05,010 --> 00:00:08,000\nnoon\n\n"
    "4\n00:00:06,800 --> 00:00:09,000\nnow\n"
)
ASS = "[Events]\n" + "".join(
    f"Dialogue: {layer},0:00:{start},0:00:{end},Default,,0,0,0,,{{\\blur{layer}}}{text}\n"
    for start, end, text in (("00.40", "02.60", "red kites"), ("02.61", "05.00", "climb"))
    for layer in (0, 1)
)


def read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    return read_words(tmp_path / name)


def test_words_of_automatic_captions_stand_once_at_their_own_times(tmp_path):
    words = read(tmp_path, "a.en.vtt", ROLLING)
    assert [word.text for word in words] == WORDS.split()
    assert [word.start for word in words] == TIMES
    assert words[-1].end == 6.8


def test_the_same_without_times_inside(tmp_path):
    words = read(tmp_path, "a.srt", CONVERTED)
    assert [word.text for word in words] == WORDS.split()
    starts = [words[WORDS.split().index(first)].start for first in ("red", "the", "noon")]
    assert starts == [0.4, 2.61, 5.01]


def test_captions_in_a_moving_window_end_where_the_next_begin(tmp_path):
    words = read(tmp_path, "a.srt", WINDOW)
    assert [word.text for word in words] == [*WORDS.split(), "now"]
    assert all(a.end <= b.start for a, b in pairwise(words))


def test_layers_of_one_line_are_one(tmp_path):
    assert [word.text for word in read(tmp_path, "a.ass", ASS)] == ["red", "kites", "climb"]


def cues(*texts, length=1.0, pause=0.0):
    return [Cue(i * (length + pause), i * (length + pause) + length, text) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    "texts",
    [
        ("no no no", "no no no", "no no no"),
        ("row row\nrow your boat", "row your boat\nrow your boat", "gently"),
        ("no", "no\nnot that"),
        ("la la", "la la\nla", "down", "the stream", "merrily"),
        ("hello", "hello there", "what is it", "nothing", "go on", "hello", "hello you"),
        ("one", "two", "three"),
    ],
)
@pytest.mark.parametrize("pause", [0.0, 2.0])
def test_what_is_said_twice_in_ordinary_captions_stays(texts, pause):
    assert without_repeats(cues(*texts, pause=pause)) == cues(*texts, pause=pause)


@pytest.mark.parametrize(
    ("texts", "once"),
    [
        (("a b", "a b\nc d", "c d\ne", "e\nf"), ("a b", "c d", "e", "f")),
        (("a", "a b", "a b c", "a b c\nd", "d e"), ("a", " b", " c", "d", " e")),
        (("a\nb\nc", "b\nc\nd", "c\nd\ne"), ("a\nb\nc", "d", "e")),
        # a refrain in captions that roll
        (("a", "a\nla la", "la la\nla la", "la la\nb"), ("a", "la la", "la la", "b")),
    ],
)
def test_what_rolling_captions_show_again_goes(texts, once):
    assert [cue.text for cue in without_repeats(cues(*texts))] == list(once)


LINES = st.lists(st.text("abc", min_size=1, max_size=3), min_size=5, max_size=12, unique=True)


@pytest.mark.fuzz
@given(LINES, st.integers(1, 3))
def test_any_lines_that_roll_come_out_as_they_were_said(lines, rows):
    shown = ["\n".join(lines[max(0, i - rows) : i + 1]) for i in range(len(lines))]
    assert [cue.text.strip() for cue in without_repeats(cues(*shown))] == lines
