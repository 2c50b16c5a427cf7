"""The mixture of experts against its formula, and whom its gate can call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy_layers import SUBSETS, gelu, linear, made, mlp, norm, run, same, softmax, vectors, weights

from mmvideo.contract.fusions import WIDTH, draw, prepare
from mmvideo.contract.promises import presence_patterns
from mmvideo.fusion.experts import ExpertsFusion
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_formula(modalities: tuple[str, ...]) -> None:
    fusion, features = made("experts", modalities)
    w, (x, present) = weights(fusion), vectors(fusion, features)
    answers = [
        mlp(w, "joint", np.concatenate(x, axis=1)),
        *(mlp(w, f"experts.{m}", v) for m, v in enumerate(x)),
    ]
    seen = [np.concatenate([norm(w, "norm", v), present[:, [m]]], axis=1) for m, v in enumerate(x)]
    scores = linear(w, "gate.2", gelu(linear(w, "gate.0", np.concatenate(seen, axis=1))))
    scores[:, 1:][~present] = -np.inf
    gates = softmax(scores)
    pooled, diagnostics = run(fusion, features)
    same(diagnostics["expert_weights"], gates)
    same(pooled, sum(gate[:, None] * answer for gate, answer in zip(gates.T, answers, strict=True)))


def test_a_clip_without_any_modality_is_left_to_the_joint_expert() -> None:
    fusion, features = made("experts", MODALITIES)
    gates = run(fusion, features)[1]["expert_weights"]
    np.testing.assert_array_equal(gates[-1], [1, 0, 0, 0])  # the last pattern is the empty one
    assert (gates[0] > 0).all()


def test_all_experts_start_with_about_the_same_say() -> None:
    fusion = prepare(lambda: ExpertsFusion(ExpertsFusion.Config(), MODALITIES, WIDTH), training=False)
    gates = fusion(draw(MODALITIES, presence_patterns(3)[:1].repeat(32, 1))).diagnostics["expert_weights"]
    torch.testing.assert_close(gates, torch.full((32, 4), 0.25), atol=0.05, rtol=0)


def test_the_gate_learns_which_modality_to_rely_on() -> None:
    """The answer is in the clean vector; which one that is, text says."""
    torch.manual_seed(0)
    fusion = ExpertsFusion(ExpertsFusion.Config(dropout=0.0), MODALITIES, WIDTH)
    head = torch.nn.Linear(WIDTH, 2)
    optimiser = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=1e-2)
    everything = torch.ones(128, 3, dtype=torch.bool)
    for step in range(80):
        features = draw(MODALITIES, everything, seed=step)
        says_visual = features["text"].clip[:, 0] > 0
        answer = torch.where(says_visual, features["visual"].clip[:, 0], features["audio"].clip[:, 0]) > 0
        out = fusion(features)
        loss = torch.nn.functional.cross_entropy(head(out.pooled), answer.long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gates = out.diagnostics["expert_weights"]
    assert gates[says_visual, 1].mean() > gates[~says_visual, 1].mean()
    assert gates[~says_visual, 2].mean() > gates[says_visual, 2].mean()
