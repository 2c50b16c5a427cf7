"""SpecAugment blanks what it is asked to, within each clip's own extent, in training alone."""

from __future__ import annotations

import torch

from mmvideo.layers.spec_augment import SpecAugment

BINS, COLUMNS = 16, 40


def blanked(
    time: tuple[int, int] = (0, 1), mel: tuple[int, int] = (0, 1), length: int = COLUMNS, batch: int = 400
):
    """(B, F, N) bool: the blanked cells of spectrograms whose first `length` columns are real."""
    mask = (torch.arange(COLUMNS) < length).expand(batch, COLUMNS)
    return SpecAugment(*time, *mel)(torch.ones(batch, BINS, COLUMNS), mask) == 0


def runs(flags: torch.Tensor) -> torch.Tensor:
    """Per row, how many separate stretches of True there are."""
    return flags.int().diff(dim=1, prepend=torch.zeros(len(flags), 1, dtype=torch.int32)).eq(1).sum(dim=1)


def test_one_time_mask_is_one_stretch_of_all_bins_up_to_the_longest() -> None:
    torch.manual_seed(0)
    cells = blanked(time=(1, 7))
    assert (cells.all(dim=1) == cells.any(dim=1)).all()
    columns = cells.any(dim=1)
    assert set(columns.sum(dim=1).tolist()) == set(range(8))
    assert (runs(columns) <= 1).all()
    assert columns.any(dim=0).all(), "every column is blanked in some clip"


def test_bands_are_whole_rows() -> None:
    torch.manual_seed(0)
    cells = blanked(mel=(2, 3))
    assert (cells.all(dim=2) == cells.any(dim=2)).all()
    assert cells.any(dim=2).sum(dim=1).max() == 6
    assert runs(cells.any(dim=2)).max() == 2


def test_time_masks_stay_within_the_real_columns() -> None:
    torch.manual_seed(0)
    columns = blanked(time=(2, 20), length=10).any(dim=1)
    assert not columns[:, 10:].any()
    assert columns[:, :10].any(dim=0).all()


def test_an_absent_clip_and_evaluation_are_left_alone() -> None:
    assert not blanked(time=(3, 20), length=0).any()
    augment = SpecAugment(3, 20, 3, 8).eval()
    spectrum = torch.randn(2, BINS, COLUMNS)
    assert augment(spectrum, torch.ones(2, COLUMNS, dtype=torch.bool)) is spectrum


def test_torch_s_seed_replays_the_masks_and_clips_have_their_own() -> None:
    torch.manual_seed(5)
    first = blanked(time=(1, 10), mel=(1, 5))
    torch.manual_seed(5)
    assert torch.equal(first, blanked(time=(1, 10), mel=(1, 5)))
    assert len({row.numpy().tobytes() for row in first}) > 300
