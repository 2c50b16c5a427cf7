"""Any bytes called subtitles become words or an InputError, in linear time."""

import os
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmvideo.clips.extensions import SUBTITLES
from mmvideo.errors import InputError
from mmvideo.store import subtitles
from mmvideo.store.subtitles import read_words

CUE = "1\n00:00:00,000 --> 00:00:01,000\n"
VTT = "WEBVTT\n\n00:00.000 --> 50:00.000\n"
EVENT = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
SIZE = 60_000


def filled(unit):
    return unit * (SIZE // len(unit))


def outcome(path):
    """The words, or why there are none; any other exception is a fault."""
    try:
        return read_words(path), ""
    except InputError as error:
        return [], str(error)


HOSTILE = {
    "angle.srt": CUE + "<" + " " * 200_000,
    "angles.srt": CUE + filled("< "),
    "slashes.srt": CUE + filled("</"),
    "braces.srt": CUE + filled("{\\"),
    "ampersands.srt": CUE + filled("&"),
    "number.srt": CUE + "&#" + filled("9") + ";",
    "hexadecimal.srt": CUE + "&#x" + filled("f") + ";",
    "digits.srt": filled("9") + CUE,
    "hours.srt": f"1\n{filled('9')}:00:00,0 --> 00:00:01,0\nhello\n",
    "day.srt": f"1\n00:00:00,0 --> {filled('9')}:00:01,0\nhello\n",
    "blanks.srt": filled(" ") + CUE.replace("-->", f"{filled(' ')}-->"),
    "newlines.srt": CUE + filled("\n"),
    "returns.srt": CUE + filled("\r"),
    "blank_lines.srt": CUE + filled(" \n"),
    "lines.srt": CUE + filled("ab\n"),
    "strays.srt": CUE + "x\n\n" + filled("ab\n\n"),
    "arrows.srt": filled("-->\n"),
    "long_arrows.srt": filled("-->"),
    "backwards.srt": "".join(f"{i // 60}:{i % 60} --> 59:59\nw{i}\n\n" for i in range(3000, 0, -1)),
    "rows.srt": f"{CUE}{filled('ab' + chr(10))}\n{CUE}{filled('ab' + chr(10))}",
    "times.vtt": VTT + filled("<00:01.000>a"),
    "late_times.vtt": VTT + filled("<59:59.000>a"),
    "unnamed.vtt": "WEBVTT\n\n" + filled("ab\n\n"),
    "braces.ass": EVENT + filled("{"),
    "overrides.ass": EVENT + filled("{\\p1}a"),
    "heading.ass": f"[{filled('a')}\n{EVENT}hello\n",
    "commas.ass": "[Events]\nDialogue: " + filled(","),
    "events.ass": EVENT + filled("x\nDialogue: "),
    "style.ass": f"[V4+ Styles]\nStyle: Default,Arial,16,,,\n{EVENT}hello\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear_in_the_size(tmp_path, name):
    (tmp_path / name).write_text(HOSTILE[name], newline="")
    began = time.process_time()
    words, refusal = outcome(tmp_path / name)
    assert all(0 <= word.start <= word.end for word in words)
    assert len(refusal) < 1000
    assert time.process_time() - began < 2.0  # what is quadratic takes 14 s and more


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *("1\n", "\n", "\r\n", " \n", "\t", "WEBVTT\n\n", "NOTE x\n", "\0", "\ufeff", "\x85", "\u2028"),
            *("00:00:01,000 --> 00:00:02,000\n", "00:00.400 --> 00:02.600 align:start\n", " --> ", "-->"),
            *("0:0 --> 0:0\n", "99999:0:0 --> 0:0\n", "00:00:02.000-->00:00:01.000\n", "٣:٣ --> ٤:٤\n"),
            *("<00:00:01.500>", "<c>", "</c>", "<i", "<3", "</>", "<rt>", "{\\an8}", "{", "}", "{\\p1}"),
            *("&amp;", "&#", "&#xD800;", "&#99999999999;", "a b", "red kites\n", "字", "é", "\\N", "\\h"),
            *("[Events]\n", EVENT, "Dialogue: 0,-0:00:01.00,0:00:02.00,D,,0,0,0,,x\n", "Style: a,,,\n"),
        ]
    ),
    max_size=40,
).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-7", "gb18030", "shift_jis", "utf-32"])
WRITTEN = st.builds(lambda text, name: text.encode(name, "ignore"), FRAGMENTS, ENCODINGS)


@pytest.mark.fuzz
@given(st.binary(max_size=200) | WRITTEN, st.sampled_from(SUBTITLES))
@example("1\n٣:٣ --> ٤:٤\nhello".encode(), ".srt")
@example(b"1\n" + b"9" * 400 + b":00:00 --> 00:01\nx", ".srt")
@example(b"1\n00:01 --> 00:02\n&#" + b"9" * 5000 + b";", ".srt")
@example(b"Style: a,b,1,,,\n" + EVENT.encode() + b"x", ".ass")
def test_any_bytes_are_words_or_an_input_error(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    words, refusal = outcome(path)
    assert not refusal or path.name in refusal
    for word in words:
        assert 0 <= word.start <= word.end < float("inf")
        assert word.text.encode() == "".join(word.text.split()).encode()


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("LARGEST", "bytes are too many"),
        ("MOST_CUES", "has more than 2 cues"),
        ("LONGEST", "a cue of more than"),
        ("MOST_WORDS", "in one clip"),
    ],
)
def test_what_is_too_large_to_be_subtitles_is_refused(tmp_path, monkeypatch, limit, message):
    (tmp_path / "a.srt").write_text(CUE + "one two three\n\n" + CUE + "\n" + CUE)
    assert len(read_words(tmp_path / "a.srt")) == 3
    monkeypatch.setattr(subtitles, limit, 2)
    with pytest.raises(InputError, match=rf"a\.srt.*{message}"):
        read_words(tmp_path / "a.srt")


@pytest.mark.parametrize("name", ["a.srt", "a.ass"])
def test_a_file_of_cues_alone_is_refused_at_once(tmp_path, name):
    line = "0:0-->0:1\na\n" if name == "a.srt" else "Dialogue:,0:0:0,0:0:0,,,,,,,{}\n"
    (tmp_path / name).write_text("[Events]\n" + line * ((subtitles.LARGEST - 20) // len(line)))
    began = time.process_time()
    assert "more than 100,000 cues" in outcome(tmp_path / name)[1]
    assert time.process_time() - began < 1.0  # all of them took 8 s


@pytest.mark.parametrize("name", ["a.ttml", "a.srv3", "a.JSON3"])
def test_other_kinds_of_subtitles_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_text("<tt/>")
    with pytest.raises(InputError, match=rf"not '{name[1:]}', which can be converted to \.vtt"):
        read_words(tmp_path / name)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.srt")
    with pytest.raises(InputError, match="no regular file"):
        read_words(tmp_path / "a.srt")
