"""What a model answers without some of its modalities, from clips that are encoded once.

Two things stand in for a modality that is removed:

- `absent`: nothing, as for clips that lack it. Models seldom met it in training, unless they were trained
  with modality dropout, so that it mixes what a modality tells with how the model takes its absence.
- `permuted`: the encoded modality of another clip, drawn for each modality by itself, K times. What a model
  meets is in distribution by modality, yet modalities do not belong together. A clip that lacks the modality
  keeps lacking it, and the others swap among themselves: who has what stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from mmvideo.evaluation.contribution import emap, emap_from_draws, subsets_of
from mmvideo.evaluation.tasks import TASKS
from mmvideo.evaluation.views import first_views, mean_over_views
from mmvideo.model import FusionModel
from mmvideo.seeding import derive_seed
from mmvideo.training.encoded import NOBODY, EncodedSplit
from mmvideo.training.predict import as_outputs
from mmvideo.vocabulary import TaskKind, presence_pattern

ABSENT, PERMUTED = "absent", "permuted"
STAND_INS = (ABSENT, PERMUTED)


@dataclass(frozen=True)
class Removals:
    """The score of every clip with every subset of the modalities, under each stand-in; and without
    interactions."""

    scores: Mapping[str, Mapping[str, Float[ndarray, " n"]]]
    """Stand-in → presence pattern → clips' scores; of draws the mean."""
    emap: Float[ndarray, " n"]
    """Scores of the model's nearest additive function (see `mmvideo.evaluation.contribution.emap`)."""
    outputs: Float[ndarray, "n C"]
    """With all modalities."""


@dataclass
class Asked:
    """A model and the encoded clips that it is asked about."""

    model: FusionModel
    split: EncodedSplit
    task: TaskKind
    device: torch.device
    batch_size: int
    starts: ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.starts = first_views(self.split.ids)
        self.labels = self.split.labels.numpy()[self.starts]

    def outputs(self, logits: Tensor) -> Float[ndarray, "n C"]:
        """A row for each clip, the mean over its views."""
        found = as_outputs(logits, self.task)
        return found if len(found) == len(self.starts) else mean_over_views(found, self.starts, self.task)

    def scores(self, logits: Tensor) -> Float[ndarray, " n"]:
        return TASKS[self.task].clip_scores(self.outputs(logits), self.labels).astype(float)

    @torch.no_grad()
    def logits(
        self,
        subsets: Sequence[Sequence[str]] = (),
        donors: Mapping[str, Int[ndarray, " n"]] = NOBODY,  # type: ignore[assignment]
    ) -> list[Tensor]:
        """Logits of all rows, (rows, C) on the CPU: as they are shown, then with each subset alone."""
        parts: list[list[Tensor]] = []
        for rows in _cut(len(self.split), self.batch_size):
            shown = {m: of[rows].tolist() for m, of in donors.items()}
            found = self.model(self.split.batch(rows.tolist(), shown).to(self.device), subsets)
            parts.append([part.float().cpu() for part in (found.logits, *found.subsets)])
        return [torch.cat(part) for part in zip(*parts, strict=True)]


def without_modalities(asked: Asked, draws: int, watch: Callable[[], None] = lambda: None) -> Removals:
    """Every subset under every stand-in. The model is left in evaluation mode.

    Args:
        draws: K, how often other clips are drawn. They depend on the clips alone, and are the same for every
            model that is asked.
        watch: called after each draw.
    """
    asked.model.eval()
    modalities = tuple(asked.split.features)
    *parts, everything = subsets_of(modalities)
    whole, *alone = asked.logits(parts)
    absent = {presence_pattern(s): asked.scores(found) for s, found in zip(parts, alone, strict=True)}
    complete = {presence_pattern(everything): asked.scores(whole)}
    permuted = {presence_pattern(s): np.zeros(len(asked.starts)) for s in parts}
    owners, drawn = list[ndarray](), list[ndarray]()
    for donors in _donors(asked.split, draws):
        for subset in parts:
            others = {m: rows for m, rows in donors.items() if m not in subset}
            found = asked.logits(donors=others)[0]
            permuted[presence_pattern(subset)] += asked.scores(found) / draws
            if len(subset) < 2:
                owners.append(_owners(asked.split, others))
                drawn.append(found.numpy())
        watch()
    given_one, overall = emap_from_draws(np.concatenate(owners), np.concatenate(drawn))
    own = _owners(asked.split, {})
    of_each = np.stack([given_one[m][own[:, m]] for m in range(len(modalities))])
    return Removals(
        {ABSENT: absent | complete, PERMUTED: permuted | complete},
        asked.scores(torch.from_numpy(emap(of_each, overall))),
        asked.outputs(whole),
    )


def _cut(count: int, size: int) -> Iterator[ndarray]:
    return (np.arange(first, min(first + size, count)) for first in range(0, count, size))


def _donors(split: EncodedSplit, draws: int) -> Iterator[dict[str, Int[ndarray, " n"]]]:
    """For each draw and modality, whose modality each row is given: another clip's that has it, in the same
    view; its own, where no other has it."""
    starts = first_views(split.ids)
    views = len(split) // len(starts)
    for draw in range(draws):
        donors = {}
        for modality, features in split.features.items():
            generator = np.random.default_rng(derive_seed("stand-in", draw, modality))
            partner, present = np.arange(len(split)), features.present.numpy()
            for view in range(views):
                rows = generator.permutation(starts + view)
                rows = rows[present[rows]]
                partner[rows] = np.roll(rows, 1)
            donors[modality] = partner
        yield donors


def _owners(split: EncodedSplit, donors: Mapping[str, Int[ndarray, " n"]]) -> Int[ndarray, "n M"]:
    """Whose modality each row shows; what is absent is the same for all, and counts as one more clip's."""
    rows = np.arange(len(split))
    return np.stack(
        [
            np.where(features.present.numpy(), donors.get(modality, rows), len(split))
            for modality, features in split.features.items()
        ],
        axis=1,
    )
