import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.store.subtitle_parser import Cue, decode_text, parse_ass, parse_timed_blocks


def cues(text, kind):
    parsed = parse_timed_blocks(text, kind)
    assert parsed.findings == []
    return parsed.cues


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("00:00:01,500 --> 00:00:02,000", 1.5, 2.0),
        ("00:00:01.500-->00:00:02.000", 1.5, 2.0),
        ("\t00:00:01,500\t-->\t00:00:02,000  X1:40 X2:600", 1.5, 2.0),
        ("00:01.500 --> 00:02.000 align:start line:0%", 1.5, 2.0),
        ("00:01.500 --> 00:02.000align:start", 1.5, 2.0),
        ("123:59:59.999 --> 124:00:00.000", 446399.999, 446400.0),
        ("0:0:1,5 --> 0:0:2", 1.5, 2.0),
    ],
)
@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_times_as_they_are_found_in_the_wild(times, start, end, kind):
    head = "WEBVTT\n\n" if kind == "vtt" else "1\n"
    assert cues(f"{head}{times}\nhello\n", kind) == [Cue(start, end, "hello")]


@pytest.mark.parametrize(
    "times", ["00:00:01,500 -> 00:00:02,000", "00:00:01,500 --> ", "1.5 --> 2", "00:00:0x,1 --> 00:00:02,000"]
)
def test_unreadable_times_lose_their_own_cue_only(times):
    good = "00:00:05,000 --> 00:00:06,000"
    parsed = parse_timed_blocks(f"1\n{good}\nfirst\n\n2\n{times}\nlost\n\n3\n{good}\nlast\n", "srt")
    assert [cue.text for cue in parsed.cues] == ["first", "last"]
    assert len(parsed.findings) == 1


def test_a_cue_that_ends_before_it_starts_keeps_its_start():
    parsed = parse_timed_blocks("1\n00:00:05,000 --> 00:00:03,000\nhello\n", "srt")
    assert parsed.cues == [Cue(5.0, 5.0, "hello")]
    assert parsed.findings == [(2, "the cue ends before it starts: '00:00:05,000 --> 00:00:03,000'")]


def test_blank_lines_missing_or_too_many():
    first, second = "00:00:01,000 --> 00:00:02,000", "00:00:03,000 --> 00:00:04,000"
    assert cues(f"1\n{first}\none\n2\n{second}\ntwo\n", "srt") == [Cue(1, 2, "one"), Cue(3, 4, "two")]
    assert cues(f"1\n{first}\none\n\nmore\n\n2\n{second}\n7\n", "srt") == [
        Cue(1, 2, "one\nmore"),
        Cue(3, 4, "7"),
    ]


def test_what_is_no_cue_in_webvtt():
    asides = (
        "WEBVTT - title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\nNOTE\na --> b\n\n"
    )
    timed = "name\n00:01.000 --> 00:02.000\nhello\n\nNOTE last words\n"
    assert cues(asides + timed, "vtt") == [Cue(1.0, 2.0, "hello")]


def test_a_missing_signature_is_told():
    parsed = parse_timed_blocks("00:01.000 --> 00:02.000\nhello\n", "vtt")
    assert (parsed.cues, len(parsed.findings)) == ([Cue(1.0, 2.0, "hello")], 1)


def test_lines_of_ass_that_cannot_be_read_are_told():
    head = "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    good = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,hello\n"
    assert parse_ass(head + good).findings == []
    parsed = parse_ass(
        head + "Dialogue: 0,0:00:0x.00,0:00:02.00,Default,,0,0,0,,lost\n" + good + "Dialogue: \n"
    )
    assert parsed.cues == [Cue(1.0, 2.0, "hello")]
    assert [line for line, _ in parsed.findings] == [3, 5]


@pytest.mark.parametrize(
    ("raw", "text", "told"),
    [
        ("héllo".encode(), "héllo", None),
        (b"\xef\xbb\xbfhi", "hi", None),
        ("héllo".encode("utf-16"), "héllo", None),
        ("字".encode() * 40 + b"\xff", "字" * 40 + "\ufffd", "1 characters are not UTF-8 and were replaced"),
        (
            "我们今天去看电影好不好，他说他已经看过了。".encode("gb2312"),
            "我们今天去看电影好不好，他说他已经看过了。",
            "read as gb",
        ),
    ],
)
def test_encodings(raw, text, told):
    decoded, guess = decode_text(raw)
    assert decoded == text
    assert guess == told or (told is not None and told in guess)


WORDS = st.text("abcéЖ字 -.,'", min_size=1).map(str.strip).filter(lambda text: text and not text.isdecimal())


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**5), WORDS), max_size=8))
def test_what_is_written_is_read(entries):
    def stamp(ms):
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    text = "".join(
        f"{n}\n{stamp(start)} --> {stamp(start + length)}\n{words}\n\n"
        for n, (start, length, words) in enumerate(entries, start=1)
    )
    expected = [Cue(start / 1000, (start + length) / 1000, words) for start, length, words in entries]
    assert cues(text, "srt") == expected


@pytest.mark.fuzz
@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_no_text_breaks_the_parser(text):
    for kind in ("srt", "vtt"):
        for cue in parse_timed_blocks(text, kind).cues:
            assert cue.start <= cue.end
