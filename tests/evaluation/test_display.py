from __future__ import annotations

import pytest

from mmvideo.evaluation.tasks import TASKS


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0, "0.0"), (-0.0, "0.0"), (-1e-5, "0.0"), (1e-5, "0.0"), (-0.001, "−0.1"), (0.234, "+23.4")],
)
def test_what_rounds_to_zero_has_no_sign(difference: float, text: str) -> None:
    wording = TASKS["single_label"].display
    assert wording.change(difference) == text
    assert wording.change(float("nan")) == wording.value(float("nan")) == "–"
    assert wording.value(difference) == text.removeprefix("+")
