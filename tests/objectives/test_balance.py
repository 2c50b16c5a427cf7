"""Objectives against modality imbalance: each against its paper's formula, computed apart in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmvideo.model import FusionModel
from mmvideo.objectives import Objective, Setting
from mmvideo.objectives.agm import Agm, ratios, shapley
from mmvideo.objectives.auxiliary import UnimodalAuxiliary
from mmvideo.objectives.base import UnimodalObjective
from mmvideo.objectives.gradient_blend import GradientBlend, blend
from mmvideo.objectives.mmpareto import MMPareto, combination
from mmvideo.objectives.modulation import Ogm, OgmGe, coefficients
from mmvideo.types import Batch, Prediction

TWO = ("visual", "audio")
Settings = Callable[..., Setting]
Models = Callable[[tuple[str, ...]], FusionModel]
Batches = Callable[..., Batch]
Kind = TypeVar("Kind", bound=Objective)


def made(cls: type[Kind], setting: Setting, **options: Any) -> Kind:
    return cls(cls.Config(**options), setting)


def losses_of(logits: Tensor, labels: Tensor) -> np.ndarray:
    values = logits.detach().double().numpy()
    log_p = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(values)), labels.numpy()]


def alone_in_numpy(
    objective: UnimodalObjective, prediction: Prediction, batch: Batch
) -> dict[str, np.ndarray]:
    """Each head's losses over the clips that have its modality."""
    found = {}
    for m in objective.balanced:
        head: Any = objective.heads[m]
        logits = prediction.clips[m].detach() @ head.weight.detach().T + head.bias.detach()
        found[m] = losses_of(logits, batch.labels)[batch.inputs[m].mask[:, 0].numpy()]
    return found


def session(model: FusionModel) -> Any:
    return SimpleNamespace(model=model, backward=Tensor.backward)


def gradients(objective: Any, model: FusionModel, batch: Batch, part: Any) -> dict[str, np.ndarray]:
    """The gradient of every encoder, as one vector, when `part` alone is minimised."""
    model.zero_grad()
    part(model(batch)).backward()
    return vectors(model)


def vectors(model: FusionModel) -> dict[str, np.ndarray]:
    return {
        m: torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in e.parameters()])
        .double()
        .numpy()
        for m, e in model.encoders.items()
    }


def test_auxiliary_losses_are_added(setting: Settings, model: Models, batch: Batches) -> None:
    objective, clips = made(UnimodalAuxiliary, setting(), weight=0.3), batch(TWO, 12, 0)
    prediction = model(TWO)(clips)
    expected = losses_of(prediction.logits, clips.labels).mean()
    alone = alone_in_numpy(objective, prediction, clips)
    assert 0 < len(alone["audio"]) < 12  # some clips lack it, and do not count
    expected += 0.3 * sum(losses.mean() for losses in alone.values())
    assert objective(prediction, clips).item() == pytest.approx(expected, rel=1e-6)


def held(scores: list[float], alpha: float) -> list[float]:
    return coefficients(torch.tensor(scores, dtype=torch.double), alpha).tolist()


class TestModulation:
    def test_the_modality_ahead_is_held_back(self) -> None:
        assert held([0.6, 0.2], 0.5) == pytest.approx([1 - math.tanh(1.5), 1.0])
        three = [1 - math.tanh(0.2 * 0.6 / 0.3), 1 - math.tanh(0.2 * 0.5 / 0.35), 1.0]
        assert held([0.6, 0.5, 0.1], 0.2) == pytest.approx(three)
        assert held([0.6, 0.0], 0.0) == [0.0, 1.0]

    def test_where_a_modality_has_no_clip_in_the_batch_the_others_are_compared(self) -> None:
        assert held([0.6, math.nan, 0.3], 0.5) == pytest.approx([1 - math.tanh(1.0), 1.0, 1.0])
        assert held([0.6, math.nan], 0.5) == [1.0, 1.0]

    @given(st.lists(st.floats(0.01, 1), min_size=2, max_size=3), st.floats(0, 5))
    def test_shares_lie_in_0_to_1_and_the_least_is_never_held_back(
        self, scores: list[float], alpha: float
    ) -> None:
        kept = held(scores, alpha)
        assert all(0 <= share <= 1 for share in kept)
        assert kept[int(np.argmin(scores))] == 1

    def test_gradients_of_the_encoders_alone_are_scaled(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        net, clips, objective = model(TWO).eval(), batch(TWO, 16, 1), made(Ogm, setting(), alpha=0.7)
        plain = gradients(objective, net, clips, lambda p: objective.joint_loss(p, clips))
        fusion = [p.grad.clone() for p in net.fusion.parameters() if p.grad is not None]
        net.zero_grad()
        prediction = net(clips)
        alone = alone_in_numpy(objective, prediction, clips)
        scores = {m: np.exp(-losses).mean() for m, losses in alone.items()}
        ratio = scores["visual"] / scores["audio"]
        share = {
            "visual": 1 - np.tanh(0.7 * ratio) if ratio > 1 else 1.0,
            "audio": 1 - np.tanh(0.7 / ratio) if ratio < 1 else 1.0,
        }
        assert min(share.values()) < 1
        objective.backward(objective(prediction, clips), prediction, clips, session(net))
        for m, gradient in vectors(net).items():
            np.testing.assert_allclose(gradient, share[m] * plain[m], rtol=1e-4, atol=1e-8)
            assert objective.report()[f"gradient_share_{m}"] == pytest.approx(share[m], rel=1e-5)
        now = [p.grad for p in net.fusion.parameters() if p.grad is not None]
        assert all(torch.equal(a, b) for a, b in zip(fusion, now, strict=True))

    def test_probes_learn_and_leave_loss_and_encoders_alone(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        net, clips, objective = model(TWO).eval(), batch(TWO, 8, 0), made(Ogm, setting(), alpha=0.0)
        loss = objective(prediction := net(clips), clips)
        assert loss.item() == pytest.approx(losses_of(prediction.logits, clips.labels).mean(), rel=1e-6)
        plain = gradients(objective, net, clips, lambda p: objective.joint_loss(p, clips))
        net.zero_grad()
        objective(net(clips), clips).backward()
        np.testing.assert_array_equal(vectors(net)["visual"], plain["visual"])
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.parameters())

    def test_after_its_epochs_nothing_is_modulated(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        net, clips = model(TWO).eval(), batch(TWO, 16, 1)
        objective = made(Ogm, setting(), alpha=5.0, epochs=2)
        found = []
        for epoch in (2, 3):
            objective.begin_epoch(epoch, session(net))
            net.zero_grad()
            prediction = net(clips)
            objective.backward(objective(prediction, clips), prediction, clips, session(net))
            found.append(vectors(net))
        assert any(np.linalg.norm(found[0][m]) < 0.9 * np.linalg.norm(found[1][m]) for m in TWO)
        assert objective.report() == {}

    def test_enhancement_adds_noise_of_the_gradients_own_deviation(self, setting: Settings) -> None:
        torch.manual_seed(0)
        gradient = torch.randn(200, 100) * 3 + 1
        before = gradient.clone()
        made(OgmGe, setting())._modulate(gradient, 0.25)
        noise = gradient - 0.25 * before
        assert noise.mean().item() == pytest.approx(0, abs=0.1)
        assert noise.std().item() == pytest.approx(before.std().item(), rel=0.02)
        assert abs(np.corrcoef(noise.flatten(), before.flatten())[0, 1]) < 0.03
        single = torch.tensor([2.0])
        made(OgmGe, setting())._modulate(single, 0.5)
        assert single.item() == 1.0


class TestPareto:
    def test_gradients_that_agree_are_added_and_enhanced(self) -> None:
        a, b = combination(torch.tensor([1.0, 0.2]), torch.tensor([0.5, 1.0]), 1.5)
        assert (a.item(), b.item()) == (1.5, 1.5)

    @settings(max_examples=60)
    @given(
        st.lists(st.floats(-3, 3), min_size=3, max_size=3),
        st.lists(st.floats(-3, 3), min_size=3, max_size=3),
        st.floats(0.5, 2),
    )
    def test_gradients_in_conflict_are_combined_to_help_both(
        self, first: list[float], second: list[float], gamma: float
    ) -> None:
        joint, alone = np.array(first, np.float32).astype(float), np.array(second, np.float32).astype(float)
        if joint @ alone > -1e-3:
            return
        a, b = (
            v.item() for v in combination(torch.tensor(joint).float(), torch.tensor(alone).float(), gamma)
        )
        merged = a * joint + b * alone
        grid = np.linspace(0, 1, 4001)[:, None]
        norms = np.linalg.norm(grid * joint + (1 - grid) * alone, axis=1)
        assert a / (a + b) == pytest.approx(grid[norms.argmin(), 0], abs=1e-3)
        rounding = 5e-7 * (a + b) * max(joint @ joint, alone @ alone)
        assert merged @ joint >= -rounding
        assert merged @ alone >= -rounding
        if norms.min() < 1.5e-3 * (np.linalg.norm(joint) + np.linalg.norm(alone)):
            return
        length = max(2 * norms.min(), np.linalg.norm(joint + alone))
        assert np.linalg.norm(merged) == pytest.approx(gamma * length, rel=0.05, abs=1e-3)

    @pytest.mark.parametrize("tilt", [0.0, 1e-9, 1e-5])
    def test_opposite_gradients_blow_nothing_up(self, tilt: float) -> None:
        joint, alone = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([-0.5, tilt, 0.0])
        a, b = combination(joint, alone, 1.5)
        assert a + b == pytest.approx(3.0)
        assert (a * joint + b * alone).norm() < 1e-4

    def test_each_encoder_follows_its_combination(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        torch.manual_seed(0)
        net, clips, objective = model(TWO).eval(), batch(TWO, 16, 2), made(MMPareto, setting(), gamma=1.3)
        for head in objective.heads.values():
            torch.nn.init.normal_(head.weight, std=3.0)  # type: ignore[arg-type]
        joint = gradients(objective, net, clips, lambda p: objective.joint_loss(p, clips))
        alone = gradients(
            objective, net, clips, lambda p: sum(objective.alone_means(p.clips, clips).values())
        )
        net.zero_grad()
        objective.zero_grad()
        prediction = net(clips)
        objective.backward(objective(prediction, clips), prediction, clips, session(net))
        cosines = []
        for m, found in vectors(net).items():
            g, u = joint[m], alone[m]
            cosines.append(g @ u)
            if g @ u >= 0:
                expected = 1.3 * (g + u)
            else:
                share = np.clip((u - g) @ u / ((g - u) @ (g - u)), 0, 1)
                merged = 2 * (share * g + (1 - share) * u)
                expected = 1.3 * merged * max(1.0, np.linalg.norm(g + u) / np.linalg.norm(merged))
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
        assert min(cosines) < 0, "the case in conflict must be among them"
        assert all(p.grad is not None for p in [*objective.parameters(), *net.head.parameters()])


class TestAgm:
    def test_responses_are_shapley_values(self) -> None:
        """Against the definition by orders of arrival."""
        modalities = ("visual", "audio", "text")
        torch.manual_seed(0)
        values = {s: torch.randn(4, 3) for s in (*made(Agm, Setting(modalities, 4, 3)).subsets, modalities)}
        for m in modalities:
            gains = []
            for order in permutations(modalities):
                before = set(order[: order.index(m)])
                key = tuple(x for x in modalities if x in before)
                after = tuple(x for x in modalities if x in before | {m})
                gains.append((values[after] - values[key]).numpy())
            np.testing.assert_allclose(shapley(values, m, modalities), np.mean(gains, axis=0), atol=1e-6)
        total = sum(shapley(values, m, modalities) for m in modalities)
        torch.testing.assert_close(total, values[modalities] - values[()])

    def test_ratios(self) -> None:
        def of(scores: list[float], seen: list[bool]) -> list[float]:
            return ratios(torch.tensor(scores, dtype=torch.double), torch.tensor(seen)).tolist()

        assert of([1.0, 0.4, 0.1], [True] * 3) == pytest.approx(
            [math.exp(0.25 - 1), math.exp(0.55 - 0.4), math.exp(0.7 - 0.1)]
        )
        assert of([1.0, 0.4, 9.0], [True, True, False]) == pytest.approx([math.exp(-0.6), math.exp(0.6), 1.0])
        assert of([1.0, 2.0], [True, False]) == [1.0, 1.0]

    def test_the_loss_is_plain_and_gradients_are_scaled_by_what_is_unusual(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        net, objective = model(TWO).eval(), made(Agm, setting(), alpha=0.8)
        running = np.zeros(2)
        for step in (1, 2, 3):
            clips = batch(TWO, 12, step)
            prediction = net(clips, objective.subsets)
            nothing, visual, audio, both = (
                part.detach().double().numpy() for part in (*prediction.subsets, prediction.logits)
            )
            response = {
                "visual": (visual - nothing + both - audio) / 2,
                "audio": (audio - nothing + both - visual) / 2,
            }
            scores = np.array(
                [
                    losses_of(torch.tensor(nothing + response[m]), clips.labels)[
                        clips.inputs[m].mask[:, 0].numpy()
                    ].mean()
                    for m in TWO
                ]
            )
            now, usual = np.exp(scores[::-1] - scores), np.exp(running[::-1] - running)
            kappa = np.exp(0.8 * (usual - now))
            prediction.logits.retain_grad()
            loss = objective(prediction, clips)
            assert loss.item() == pytest.approx(losses_of(prediction.logits, clips.labels).mean(), rel=1e-5)
            loss.backward()
            probability = np.exp(both) / np.exp(both).sum(axis=1, keepdims=True)
            slope = (probability - np.eye(3)[clips.labels.numpy()]) / 12
            assert prediction.logits.grad is not None
            np.testing.assert_allclose(
                prediction.logits.grad.numpy(), slope * kappa.mean(), rtol=1e-4, atol=1e-6
            )
            running += (scores - running) / step
            np.testing.assert_allclose(objective.running.numpy(), running, rtol=1e-5)

    def test_asking_in_evaluation_changes_no_state(
        self, setting: Settings, model: Models, batch: Batches
    ) -> None:
        net, clips, objective = model(TWO).eval(), batch(TWO, 6, 0), made(Agm, setting()).eval()
        objective(net(clips, objective.subsets), clips)
        assert objective.steps.tolist() == [0, 0]


class TestGradientBlend:
    def test_weights(self) -> None:
        """G/O² for each loss, and nothing for one whose validation loss rose."""
        before = torch.tensor([[1.0, 1.0, 1.0], [1.1, 1.1, 1.2]])
        after = torch.tensor([[0.5, 0.2, 0.9], [0.8, 1.0, 1.3]])
        gain = np.array([0.3, 0.1, 0.0])
        overfitting = np.array([0.8 - 0.5 - 0.1, 1.0 - 0.2 - 0.1, 1])
        expected = gain / overfitting**2
        np.testing.assert_allclose(blend(before, after).numpy(), expected / expected.sum(), rtol=1e-5)

    def test_where_nothing_generalised_all_count_alike(self) -> None:
        worse = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
        assert blend(worse, worse + 0.1).tolist() == [0.5, 0.5]

    def test_a_gap_that_hardly_moved_does_not_take_all(self) -> None:
        before = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
        after = torch.tensor([[0.9, 0.5], [0.9, 0.6]])
        np.testing.assert_allclose(
            blend(before, after).numpy(), np.array([0.1 / 1e-4, 0.4 / 1e-2]) / (1000 + 40), rtol=1e-4
        )

    def test_the_loss_is_the_weighted_sum(self, setting: Settings, model: Models, batch: Batches) -> None:
        objective, clips = made(GradientBlend, setting()), batch(TWO, 12, 0)
        objective.weights.copy_(torch.tensor([0.2, 0.5, 0.3]))
        prediction = model(TWO)(clips)
        alone = alone_in_numpy(objective, prediction, clips)
        joint = losses_of(prediction.logits, clips.labels).mean()
        expected = 0.2 * alone["visual"].mean() + 0.5 * alone["audio"].mean() + 0.3 * joint
        assert objective(prediction, clips).item() == pytest.approx(expected, rel=1e-6)
        assert objective.report() == pytest.approx(
            {"loss_weight_visual": 0.2, "loss_weight_audio": 0.5, "loss_weight_joint": 0.3}
        )
