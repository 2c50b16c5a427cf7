"""What a fusion's options may be: wrong ones are the user's mistake, told by fusion, option and value."""

from __future__ import annotations

from typing import Any

import pytest
from numpy_layers import made

from mmvideo.components import FUSIONS, FusionChoice
from mmvideo.errors import InputError
from mmvideo.vocabulary import MODALITIES

COUNTS = ("heads", "layers", "self_layers", "latents", "bottlenecks", "rank", "factor_width", "rank_width")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("name", FUSIONS)
def test_counts_are_whole_numbers_of_at_least_one(name: str, value: Any) -> None:
    for option in set(COUNTS) & set(FUSIONS.resolve(name).Config.model_fields):
        with pytest.raises(InputError, match=rf"fusion '{name}': {option}: Input should be .*got {value!r}"):
            made(name, MODALITIES, **{option: value})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("late", {"dropuot": 0.1}, r"Unknown option of fusion 'late' 'dropuot'\. Did you mean 'dropout'\?"),
        ("late", {"dropout": 1.0}, r"dropout: Input should be less than 1 \(got 1\.0\)"),
        ("late", {"dropout": True}, r"dropout: Input should be a valid number \(got True\)"),
        ("early", {"step_seconds": 0.0}, "step_seconds: Input should be greater than 0"),
        ("mmtm", {"reduction": 0}, "reduction: Input should be greater than 0"),
        ("attention", {"score": "cosine"}, r"score: Input should be 'additive' or 'dot' \(got 'cosine'\)"),
        ("bilinear", {"combine": "mean"}, "combine: Input should be 'sum' or 'concat'"),
        ("mult", {"level": "clip"}, "level: Input should be 'stem' or 'trunk'"),
        ("mult", {"heads": 3}, "width 16 cannot be split over 3 heads"),
        ("bottleneck", {"fusion_layer": -1}, "fusion_layer: Input should be greater than or equal to 0"),
        ("bottleneck", {"fusion_layer": 4}, r"from 0 \(early\) to layers = 3 \(late\), got 4"),
        ("film", {"conditioned": "depth"}, r"conditioned of fusion 'film' 'depth'.*Known: all, audio"),
        ("hierarchical", {"levels": "stem+trnk"}, r"levels: Unknown level 'trnk'\. Did you mean 'trunk'\?"),
        ("hierarchical", {"levels": ""}, "Unknown level ''"),
        ("hierarchical", {"levels": "clip+clip"}, r"named twice \(got 'clip\+clip'\)"),
        ("hierarchical", {"direction": "to_depth"}, "Unknown direction of fusion 'hierarchical' 'to_depth'"),
        ("single", {}, "takes exactly one modality, got visual, audio, text"),
    ],
)  # fmt: skip
def test_what_cannot_be_built(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(name, MODALITIES, **options)


def test_wrong_options_are_refused_before_anything_is_built() -> None:
    with pytest.raises(InputError, match="fusion 'mult': level: Input should be 'stem' or 'trunk'"):
        FusionChoice.of("mult", level="frames")


def test_modalities_may_have_any_names_in_any_order() -> None:
    fusion, features = made("late", ("text", "visual"))
    assert fusion.modalities == ("text", "visual")
    assert fusion(features).pooled.shape == (4, 16)
    for wrong in ((), ("visual", "visual")):
        with pytest.raises(AssertionError):
            made("late", wrong)


@pytest.mark.parametrize("name", [name for name in FUSIONS if name != "single"])
def test_what_stands_in_for_a_missing_modality_starts_at_the_scale_of_clip_vectors(name: str) -> None:
    fusion = FusionChoice.of(name).build(MODALITIES, 64)
    stands_in = fusion.absent.detach()
    assert stands_in.shape == (len(MODALITIES), 64)
    assert stands_in.std().item() == pytest.approx(1, abs=0.2)
    assert FusionChoice.of(name, absent_std=0.02).build(MODALITIES, 64).absent.std() < 0.03
