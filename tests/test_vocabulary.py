from __future__ import annotations

import pytest

from mmvideo.vocabulary import agreed


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("videos on disk are in no list", "video on disk is in no list"),
        ("classes have no clip", "class has no clip"),
        ("names had blanks, and were tidied", "name had blanks, and was tidied"),
        ("mp4 files have no name", "mp4 file has no name"),
    ],
)
def test_words_agree_with_their_number(many: str, one: str) -> None:
    assert agreed(2, many) == f"2 {many}"
    assert agreed(1200, many) == f"1,200 {many}"
    assert agreed(1, many) == f"1 {one}"
