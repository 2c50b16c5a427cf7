"""Every registered objective in the loop: it learns, resumes to the same numbers, and bears missing data."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmvideo.components import OBJECTIVES, ObjectiveChoice
from mmvideo.objectives import Objective, Setting
from mmvideo.objectives.base import UnimodalObjective

Fit = Callable[..., Any]
OPTIONS: dict[str, dict[str, Any]] = {"gradient_blend": {"estimation_epochs": 1, "every": 2}}


def make(name: str, setting: Setting) -> Objective:
    torch.manual_seed(9)
    objective: Objective = ObjectiveChoice.of(name, **OPTIONS.get(name, {})).build(setting)
    return objective


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("name", OBJECTIVES)
class TestEvery:
    def test_it_learns_with_three_modalities(
        self, name: str, setting: Callable[..., Setting], fitted: Fit
    ) -> None:
        _, _, records = fitted(make(name, setting("visual", "audio", "text")), epochs=8)
        scores = [record["accuracy"] for record in records if record["split"] == "val"]
        assert max(scores) >= 0.8

    def test_interrupted_it_goes_on_to_the_same_numbers(
        self, name: str, setting: Callable[..., Setting], fitted: Fit
    ) -> None:
        whole, progress, records = fitted(make(name, setting()), "whole")

        def stop(record: dict[str, Any]) -> None:
            if record["epoch"] == 3:
                raise Interrupted

        with pytest.raises(Interrupted):
            fitted(make(name, setting()), "cut", stop)
        other = make(name, setting())
        torch.randn(7)  # whatever was drawn in between
        for parameter in other.parameters():
            torch.nn.init.ones_(parameter)  # what the objective learnt comes from the checkpoint
        again, continued, last = fitted(other, "cut")
        assert [record["epoch"] for record in last] == [3, 3, 4, 4]
        assert last == records[4:]
        assert (continued.best_epoch, continued.best_loss) == (progress.best_epoch, progress.best_loss)
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))

    def test_with_one_modality_nothing_is_balanced(
        self, name: str, setting: Callable[..., Setting], fitted: Fit
    ) -> None:
        """So that the unimodal controls of a study can share its objective: a plain loss is left."""
        if not (issubclass(OBJECTIVES.resolve(name), UnimodalObjective) or name == "agm"):
            return  # it balances nothing with several modalities either
        objective = make(name, setting("audio"))
        assert not list(objective.parameters())
        net, _, _ = fitted(objective)
        plain, _, _ = fitted(make("cross_entropy", setting("audio")), "plain")
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), plain.parameters(), strict=True))

    def test_batches_without_a_modality_are_no_trouble(
        self, name: str, setting: Callable[..., Setting], model: Any, batch: Any
    ) -> None:
        objective, net = make(name, setting()), model(("visual", "audio"))
        session: Any = SimpleNamespace(model=net, backward=torch.Tensor.backward)
        for shown in (("visual",), ()):
            clips = batch(("visual", "audio"), 6, 0).only(shown)
            net.zero_grad()
            prediction = net(clips, objective.subsets)
            loss = objective(prediction, clips)
            objective.backward(loss, prediction, clips, session)
            assert torch.isfinite(loss)
            assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_gradient_blend_estimates_when_due_and_puts_everything_back(
    setting: Callable[..., Setting], fitted: Fit
) -> None:
    objective = make("gradient_blend", setting())
    _, _, records = fitted(objective)
    weights = [
        tuple(record[f"loss_weight_{part}"] for part in ("visual", "audio", "joint"))
        for record in records
        if record["split"] == "train"
    ]
    assert weights[0] == weights[1] != weights[2] == weights[3]
    assert all(sum(w) == pytest.approx(1) for w in weights)
    # with the weights it arrives at given from the start, and no estimation, training is the same
    fixed = make("gradient_blend", setting())
    fixed.begin_epoch = lambda epoch, session: fixed.weights.copy_(torch.tensor(weights[epoch - 1]))  # type: ignore[method-assign, assignment]
    _, _, again = fitted(fixed, "fixed")
    assert [r["loss"] for r in again] == pytest.approx([r["loss"] for r in records], rel=1e-6)
