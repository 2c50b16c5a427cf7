"""What is said of work under way."""

from __future__ import annotations

import re

import pytest

from mmvideo.progress import tracked


@pytest.mark.parametrize(("each", "rate"), [(0.00018, "5,556"), (0.0323, "31"), (2.5, "0.4"), (0.0, "0")])
def test_rates_are_never_powers_of_ten(
    each: float, rate: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, each])
    monkeypatch.setattr("mmvideo.progress.time.monotonic", lambda: next(times))
    assert list(tracked([7], 1, "hashing", True)) == [7]
    (said,) = re.findall(r"hashing: 1 of 1, (\S+) a second", capsys.readouterr().err)
    assert said == rate
