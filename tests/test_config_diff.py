"""Which keys keep two runs out of one comparison."""

from __future__ import annotations

import pytest

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, RuntimeConfig, TextConfig, TrainConfig
from mmvideo.config_diff import check_axes, differing_keys, flatten
from mmvideo.errors import InputError


def test_flatten_joins_keys_with_dots() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}


def test_seed_runtime_and_names_never_count() -> None:
    a = RunConfig(seed=0, arm="a")
    b = RunConfig(seed=1, arm="b", runtime=RuntimeConfig(threads=2))
    assert differing_keys(a.deciding(), b.deciding(), ()) == []


def test_an_axis_covers_its_section_and_nothing_else() -> None:
    a = RunConfig(fusion=FusionChoice.of("late"))
    b = RunConfig(fusion=FusionChoice.of("early", heads=4), train=TrainConfig(epochs=3), width=32)
    assert differing_keys(a.deciding(), b.deciding(), ("fusion",)) == ["train.epochs", "width"]
    assert differing_keys(a.deciding(), b.deciding(), ("fusion.name", "train.epochs", "width")) == [
        "fusion.options.heads"
    ]


def test_modalities_cover_encoders_that_drop_out_but_not_those_that_differ() -> None:
    both = RunConfig(modalities=("visual", "text"))
    alone = RunConfig(modalities=("visual",))
    assert differing_keys(both.deciding(), alone.deciding(), ("modalities",)) == []
    assert "text.layers" in differing_keys(both.deciding(), alone.deciding(), ())
    deeper = RunConfig(modalities=("text",), text=TextConfig(layers=3))
    assert differing_keys(both.deciding(), deeper.deciding(), ("modalities",)) == ["text.layers"]


def test_a_prefix_of_a_name_is_no_section() -> None:
    a, b = RunConfig(train=TrainConfig(epochs=3)), RunConfig()
    assert differing_keys(a.deciding(), b.deciding(), ("train.epoch",)) == ["train.epochs"]


def test_an_unknown_axis_answers_with_the_nearest() -> None:
    check_axes(("fusion", "train.learning_rate", "modalities", "fusion.options.heads"))
    with pytest.raises(InputError, match=r"Unknown axis 'fusions'. Did you mean 'fusion'\?"):
        check_axes(("fusions",))
