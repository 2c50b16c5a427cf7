"""MMPareto: an encoder's joint and unimodal gradient are combined so that neither works against the other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mmvideo.objectives.base import Session, Setting, UnimodalObjective, encoder_parameters, joined
from mmvideo.schema import PositiveFloat
from mmvideo.types import Batch, Prediction

OPPOSITE = 1e-3
"""A combination of least norm that is shorter than this share of both gradients points nowhere."""


class MMPareto(UnimodalObjective):
    """MMPareto (Wei & Hu, 2024, https://arxiv.org/abs/2405.17730, Algorithm 1).

    The loss is that of the joint outputs and of a linear head on each clip vector. For each encoder, with
    g_j its gradient of the joint and g_u of its unimodal loss: where they agree (cos ≥ 0) it follows
    γ (g_j + g_u); where they conflict, the combination of least norm, 2 (a g_j + (1-a) g_u), lengthened to
    |g_j + g_u| if it is shorter, times γ; opposite gradients have no combination that helps both, and what is
    left of them is not lengthened. All other parameters follow the plain sum. Costs a second backward pass.
    Cosine, a and lengths are those of a whole encoder's gradient.
    """

    class Config(UnimodalObjective.Config):
        gamma: PositiveFloat = 1.5
        """γ; above 1 it enhances the magnitude, and with it the noise of SGD."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.gamma = config.gamma

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        loss = self.joint_loss(prediction, batch)
        return sum(self.alone_means(prediction.clips, batch).values(), loss)

    def backward(self, loss: Tensor, prediction: Prediction, batch: Batch, session: Session) -> None:
        if not self.balanced:
            session.backward(loss)
            return
        session.backward(self.joint_loss(prediction, batch), retain_graph=True)
        encoders = {m: encoder_parameters(session.model, m) for m in self.balanced}
        joint = {m: [_take(p) for p in parameters] for m, parameters in encoders.items()}
        # one pass for all: a unimodal loss reaches its own encoder and head only
        alone_losses = list(self.alone_means(prediction.clips, batch).values())
        session.backward(sum(alone_losses[1:], alone_losses[0]))
        for modality, parameters in encoders.items():
            alone = [_take(p) for p in parameters]
            a, b = combination(joined(joint[modality]), joined(alone), self.gamma)
            for parameter, of_joint, of_alone in zip(parameters, joint[modality], alone, strict=True):
                parameter.grad = a * of_joint + b * of_alone


def combination(
    joint: Float[Tensor, " n"], alone: Float[Tensor, " n"], gamma: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Weights (a, b) of an encoder's two gradients in the one it follows."""
    joint, alone = joint.double(), alone.double()
    difference, one = joint - alone, joint.new_ones(())
    # the point nearest to 0 on the line between the two (Désidéri, 2012), within the segment
    share = ((-difference @ alone) / (difference @ difference)).clamp(0, 1)
    merged = 2 * (share * joint + (1 - share) * alone)
    points = merged.norm() > OPPOSITE * (joint.norm() + alone.norm())
    lengthened = torch.where(points, ((joint + alone).norm() / merged.norm()).clamp(min=1), one)
    scale, agree = 2 * gamma * lengthened, joint @ alone >= 0
    a, b = (torch.where(agree, gamma * one, scale * part) for part in (share, 1 - share))
    return a.float(), b.float()


def _take(parameter: Tensor) -> Tensor:
    """The parameter's gradient, zeros if it has none; it has none afterwards."""
    gradient = parameter.grad
    parameter.grad = None
    return parameter.new_zeros(parameter.shape) if gradient is None else gradient
