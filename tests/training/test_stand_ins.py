"""What stands in for a removed modality: nothing, or another clip's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from mmvideo.model import FusionModel
from mmvideo.training.encoded import EncodedSplit, encode_split
from mmvideo.training.stand_ins import ABSENT, PERMUTED, Asked, _donors, without_modalities
from mmvideo.training.subsets import predict_subsets
from mmvideo.types import Batch
from mmvideo.vocabulary import MODALITIES

CPU = torch.device("cpu")
Models = Callable[[tuple[str, ...]], FusionModel]
Batches = Callable[..., Batch]


def asked(model: Models, batch: Batches, missing: float = 0.25) -> Asked:
    net = model(MODALITIES)
    split = encode_split(net, [batch(MODALITIES, 9, 0, missing), batch(MODALITIES, 7, 1, missing)], CPU)
    return Asked(net, split, "single_label", CPU, 5)


def test_donors_have_the_modality_and_are_others(model: Models, batch: Batches) -> None:
    split = asked(model, batch).split
    first, second = _donors(split, 2)
    assert any((first[m] != second[m]).any() for m in MODALITIES)
    rows = np.arange(len(split))
    for modality, donors in first.items():
        present = split.features[modality].present.numpy()
        assert sorted(donors) == rows.tolist()  # everyone is shown once
        assert (donors[present] != rows[present]).all()
        assert (donors[~present] == rows[~present]).all()
        assert present[donors[present]].all()


def test_every_subset_as_if_it_were_asked_directly(model: Models, batch: Batches) -> None:
    one = asked(model, batch)
    found = without_modalities(one, draws=2)
    batches = [batch(MODALITIES, 9, 0), batch(MODALITIES, 7, 1)]
    whole, parts = predict_subsets(one.model, batches, CPU, [(), ("visual",), ("audio", "text")])
    np.testing.assert_allclose(found.outputs, whole.outputs, atol=1e-5)
    for subset, name in zip(parts, ("none", "visual", "audio+text"), strict=True):
        right = parts[subset].outputs.argmax(axis=1) == parts[subset].labels
        np.testing.assert_array_equal(found.scores[ABSENT][name], right)
    assert set(found.scores[PERMUTED]) == set(found.scores[ABSENT])
    again = without_modalities(one, draws=2)
    for name, scores in found.scores[PERMUTED].items():
        np.testing.assert_array_equal(scores, again.scores[PERMUTED][name])


def test_an_additive_model_is_its_own_projection(model: Models, batch: Batches) -> None:
    """Clips lack modalities, and what then stands in their place is a term of its own."""
    one = asked(model, batch)

    def added(shown: Batch, subsets: object = ()) -> object:
        clips = {m: f.clip for m, f in shown.features.items()}  # type: ignore[attr-defined]
        logits = sum(clip[:, :3] * (place + 1) + 0.1 for place, clip in enumerate(clips.values()))
        return type("P", (), {"logits": logits, "subsets": tuple(logits for _ in subsets)})  # type: ignore[attr-defined]

    one.model.forward = added  # type: ignore[method-assign, assignment]
    found = without_modalities(one, draws=12)
    whole = found.scores[ABSENT]["+".join(MODALITIES)]
    np.testing.assert_array_equal(found.emap, whole)


def test_views_of_a_clip_are_one_answer(model: Models, batch: Batches) -> None:
    one = asked(model, batch, missing=0.0)
    ids = tuple(f"clip{row // 2}" for row in range(len(one.split)))
    labels = one.split.labels[::2].repeat_interleave(2)
    viewed = EncodedSplit(ids, one.split.inputs, labels, one.split.features)
    two = Asked(one.model, viewed, "single_label", CPU, 5)
    found = without_modalities(two, draws=1)
    assert found.outputs.shape == (len(ids) // 2, 3)
    donors = next(iter(_donors(viewed, 1)))
    assert all((rows % 2 == np.arange(len(ids)) % 2).all() for rows in donors.values())
