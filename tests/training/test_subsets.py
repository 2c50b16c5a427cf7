"""Predictions with some modalities only: the same whether clips lack the others or they are taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mmvideo.evaluation.contribution import subsets_of
from mmvideo.model import FusionModel
from mmvideo.training.predict import predict
from mmvideo.training.subsets import predict_subsets
from mmvideo.types import Batch
from mmvideo.vocabulary import presence_pattern

ALL = ("visual", "audio", "text")
CPU = torch.device("cpu")
Models = Callable[[tuple[str, ...]], FusionModel]


def test_there_are_two_to_the_m() -> None:
    assert subsets_of(("visual", "text")) == [(), ("visual",), ("text",), ("visual", "text")]
    assert [presence_pattern(s) for s in subsets_of(ALL)] == [
        "none", "visual", "audio", "text", "visual+audio", "visual+text", "audio+text", "visual+audio+text",
    ]  # fmt: skip


def test_one_pass_gives_what_masking_the_clips_gives(model: Models, batch: Callable[..., Batch]) -> None:
    net, batches = model(ALL), [batch(ALL, 7, 0), batch(ALL, 5, 1)]
    net.prior.copy_(torch.tensor([0.1, -1.0, 0.3]))
    net.train()
    whole, parts = predict_subsets(net, batches, CPU, subsets_of(ALL))
    assert net.training
    expected = predict(net, batches, CPU)
    np.testing.assert_array_equal(whole.outputs, expected.outputs)
    assert whole.ids == expected.ids
    assert len(parts) == 8
    for subset, found in parts.items():
        masked = predict(net, [b.only(subset) for b in batches], CPU)
        np.testing.assert_allclose(found.outputs, masked.outputs, atol=1e-6)
    np.testing.assert_array_equal(parts[ALL].outputs, whole.outputs)


def test_the_encoders_run_once_for_subsets_of(model: Models, batch: Callable[..., Batch]) -> None:
    net, calls = model(ALL), []
    for encoder in net.encoders.values():
        encoder.register_forward_hook(lambda *given: calls.append(1))
    predict_subsets(net, [batch(ALL, 4, 0)], CPU, subsets_of(ALL))
    assert len(calls) == 3


class TestNothingPresent:
    def test_a_clip_without_any_modality_gets_the_prior(
        self, model: Models, batch: Callable[..., Batch]
    ) -> None:
        net, clips = model(ALL).eval(), batch(ALL, 6, 0, 0.0)
        prior = torch.tensor([0.5, 0.3, 0.2]).log()
        net.prior.copy_(prior)
        keep = torch.ones(6, 3, dtype=torch.bool)
        keep[2] = False
        logits = net(clips.keep(keep)).logits
        torch.testing.assert_close(logits[2], prior)
        torch.testing.assert_close(logits[[0, 1, 3, 4, 5]], net(clips).logits[[0, 1, 3, 4, 5]])
        found = predict(net, [clips.keep(keep)], CPU)
        np.testing.assert_allclose(np.exp(found.outputs[2]), [0.5, 0.3, 0.2], rtol=1e-6)

    def test_it_trains_nothing(self, model: Models, batch: Callable[..., Batch]) -> None:
        net = model(ALL)
        net(batch(ALL, 3, 0).only(())).logits.square().sum().backward()
        assert all(p.grad is None or not p.grad.any() for p in net.parameters())

    def test_the_prior_is_saved_with_the_weights(self, model: Models) -> None:
        net, other = model(ALL), model(ALL)
        net.prior.copy_(torch.tensor([1.0, 2.0, 3.0]))
        other.load_state_dict(net.state_dict())
        assert other.prior.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("levels", [{"stem"}, {"trunk"}, {"stem", "trunk", "clip"}])
def test_features_made_absent_are_an_encoders_for_absent_clips(
    levels: set[Any], model: Models, batch: Callable[..., Batch]
) -> None:
    encoder: Any = type(model(("visual",)).encoders["visual"])(frozenset(levels))
    clips = batch(("visual",), 5, 0)
    made, real = encoder(clips.inputs["visual"]).absent(), encoder(clips.only(()).inputs["visual"])
    for name in ("present", "clip"):
        a, b = getattr(made, name), getattr(real, name)
        assert (a is None) == (b is None)
        assert a is None or torch.equal(a, b)
    for name in ("stem", "trunk"):
        a, b = getattr(made, name), getattr(real, name)
        assert (a is None) == (b is None) == (name not in levels)
        assert a is None or (torch.equal(a.values, b.values[:, :1]) and torch.equal(a.mask, b.mask[:, :1]))
