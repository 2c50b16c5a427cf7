"""What every objective promises, on a small model of linear encoders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmvideo.contract.promises import ensure, ensure_finite, ensure_registered, presence_patterns
from mmvideo.objectives.base import Objective, Setting
from mmvideo.types import Batch, Prediction, Tokens

WIDTH, CLASSES = 8, 3
MODALITIES = (("visual",), ("visual", "audio"), ("visual", "audio", "text"))
Make = Callable[[Setting], Objective]


class LinearModel(nn.Module):
    """One linear encoder a modality, on clips of one item, and a head on their tanh added up."""

    def __init__(self, modalities: Sequence[str]) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({m: nn.Linear(4, WIDTH) for m in modalities})
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, batch: Batch, subsets: Sequence[Collection[str]] = ()) -> Prediction:
        clips = {}
        for name, encoder in self.encoders.items():
            tokens = batch.inputs[name]
            clips[name] = encoder(tokens.values[:, 0]) * tokens.mask
        parts = [self._read({m: clips[m] for m in clips if m in subset}, len(batch)) for subset in subsets]
        return Prediction(self._read(clips, len(batch)), {}, clips, tuple(parts))

    def _read(self, clips: dict[str, Tensor], count: int) -> Tensor:
        return self.head(sum((torch.tanh(clip) for clip in clips.values()), torch.zeros(count, WIDTH)))


class PlainSession:
    """A training without data: what an objective needs for one backward pass."""

    seed = 0

    def __init__(self, model: nn.Module) -> None:
        self.model = self.net = model

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        loss.backward(retain_graph=retain_graph)


def setting(modalities: tuple[str, ...]) -> Setting:
    return Setting(modalities, WIDTH, CLASSES, "single_label", (4, 3, 1))


def draw(modalities: Sequence[str], present: Tensor) -> Batch:
    """A clip of one item for each row of `present`."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, CLASSES, (len(present),), generator=generator)
    inputs = {}
    for column, name in enumerate(modalities):
        values, mask = torch.randn(len(present), 1, 4, generator=generator), present[:, column, None]
        inputs[name] = Tokens(values * mask[..., None], mask, torch.zeros(len(present), 1))
    return Batch(tuple(f"clip{i}" for i in range(len(present))), inputs, labels)


def prepare(make: Make, modalities: tuple[str, ...], training: bool) -> tuple[Objective, LinearModel]:
    torch.manual_seed(0)
    return make(setting(modalities)).train(training), LinearModel(modalities).train(training)


def step(objective: Objective, model: LinearModel, batch: Batch) -> Tensor:
    """The loss of the batch; its gradients are left in model and objective."""
    session: Any = PlainSession(model)
    for module in (model, objective):
        module.zero_grad()
    prediction = model(batch, objective.subsets)
    loss = objective(prediction, batch)
    if objective.training:
        objective.backward(loss, prediction, batch, session)
    return loss


def loss_is_a_number(make: Make, modalities: tuple[str, ...], training: bool) -> None:
    """The loss of a batch is one finite number, and every part of the model gets a gradient."""
    objective, model = prepare(make, modalities, training)
    loss = step(objective, model, draw(modalities, torch.ones(6, len(modalities), dtype=torch.bool)))
    ensure(loss.shape == () and loss.isfinite(), f"the loss is {loss.tolist()}")
    idle = [n for n, p in model.named_parameters() if training and (p.grad is None or not p.grad.any())]
    ensure(not idle, f"no gradient reaches {', '.join(idle)}")


def finite_for_every_presence(make: Make, modalities: tuple[str, ...], training: bool) -> None:
    """Loss and gradients are finite whichever modalities a batch has, none included."""
    for present in presence_patterns(len(modalities)):
        objective, model = prepare(make, modalities, training)
        loss = step(objective, model, draw(modalities, present.expand(4, -1)))
        for module in (model, objective):
            ensure_finite(loss, module, f"where {int(present.sum())} modalities are present")


def own_parameters_are_trained(make: Make, modalities: tuple[str, ...], training: bool) -> None:
    """What the objective adds is registered and gets a gradient."""
    objective, model = prepare(make, modalities, True)
    step(objective, model, draw(modalities, presence_patterns(len(modalities)).repeat(3, 1)))
    idle = [n for n, p in objective.named_parameters() if p.requires_grad and p.grad is None]
    ensure(not idle, f"no gradient reaches {', '.join(idle)}")
    batch = draw(modalities, presence_patterns(len(modalities)))
    prediction = model(batch, objective.subsets)
    ensure_registered(nn.ModuleList([model, objective]), [objective(prediction, batch)])


def state_survives_a_round_trip(make: Make, modalities: tuple[str, ...], training: bool) -> None:
    """A copy with the same state gives the same loss, after a step too, as resumed training needs."""
    objective, model = prepare(make, modalities, training)
    batch = draw(modalities, presence_patterns(len(modalities)).repeat(2, 1))
    step(objective, model, batch)
    torch.manual_seed(99)
    twin = make(setting(modalities)).train(training)
    twin.load_state_dict(objective.state_dict())
    found, expected = step(twin, model, batch), step(objective, model, batch)
    ensure(torch.equal(found, expected), f"the loss of a copy is {found.item()}, not {expected.item()}")


CONTRACT: tuple[Callable[[Make, tuple[str, ...], bool], None], ...] = (
    loss_is_a_number,
    finite_for_every_presence,
    own_parameters_are_trained,
    state_survives_a_round_trip,
)
