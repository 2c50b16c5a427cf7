"""A pretrained model of video clips on windows of frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import FRAMES_AT_ONCE, Ahead
from mmvideo.encoders.pretrained_encoder import LayerConfig, PretrainedEncoder
from mmvideo.encoders.video_models import (
    FAMILIES,
    VideoNetwork,
    load_video_model,
    refuse_layer,
    video_of,
)
from mmvideo.encoders.video_windows import Windows, cut_windows
from mmvideo.errors import InputError
from mmvideo.modalities.picture_changes import Framing
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.schema import Positive
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens


class VideoModel(PretrainedEncoder):
    """Stem: the model's vector of each tubelet (its tokens of one step of time, averaged over space),
    projected, with the tubelet's centre as its time. Trunk: none, LSTM or transformer. Clip: pooled.

    Inputs are uint8 frames (B, T, 3, H, W), framed as the model's own files say, or what was made of all of a
    clip's frames before, (B, N, F).
    """

    takes: ClassVar[str] = "visual"
    families = FAMILIES
    repeated: list[str]
    """Ids of clips encoded ahead whose last frame was shown again."""

    class Config(LayerConfig):
        """The windows that the model sees, how much of it is trained, and what stands on it."""

        stride: Positive | None = None
        """Frames from one window's beginning to the next one's; each moment is kept of the first window that
        shows it. None: windows side by side."""
        frame_step: Positive | None = None
        """Every which stored frame the model sees. None: what comes nearest to the rate that its preprocessor
        says; all, where it says none."""
        short_clips: Literal["refuse", "pad"] = "refuse"
        """What becomes of fewer frames than the model takes. `pad`: the last is shown again to the window's
        end, and vectors of repetitions are masked. V-JEPA 2 takes fewer, and is not padded."""

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        framing, in_views = partial(_framing, config), config.views > 0
        return Pictures(unchanging=config.keeps_one, in_views=in_views, framing_of=framing)

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        window = video_of(config.model).frames
        refuse_layer(config.model, config.layer)
        if config.stride is not None and config.stride > window:
            raise InputError(
                f"stride: windows of {window} frames, {config.stride} apart, leave out frames; lower it, or "
                "let the model see fewer with `frame_step`"
            )
        super().refuse_unusable(config)

    @classmethod
    def load_model(cls, config: Config, told: None) -> VideoNetwork:
        return load_video_model(config.model, config.layer)

    @classmethod
    def steady(cls, modality: Visual) -> bool:
        return modality.config.sampling == "rate" and not modality.config.changes_frames

    @classmethod
    def encode_ahead(cls, config: Config, modality: Any, device: torch.device) -> Ahead | None:
        if (config.cached or config.views) and modality.config.sampling != "rate":
            raise InputError(
                f"inputs.{modality.name}: `cached` and `views` keep what the model makes of all stored "
                f"frames, so sampling '{modality.config.sampling}' would not choose what it sees; leave it "
                "at 'rate', or set cached=False and views=0"
            )
        return super().encode_ahead(config, modality, device)

    def encoding(self, modality: Visual, device: torch.device) -> Ahead:
        self.repeated = []
        told = (
            f"had fewer frames than the {self.model.video.frames} that '{self.config.model}' takes, and the "
            "last was shown again; vectors of repetitions alone are left out."
        )
        return replace(super().encoding(modality, device), notes={told: self.repeated})

    def encode_clip(
        self, clip: Clip, stored: OpenClip, modality: Visual, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        times = torch.from_numpy(stored.clip.frame_times)
        if not len(times):
            return torch.zeros(0, self.features), times
        try:
            windows = self.windows(times)
        except InputError as error:
            raise InputError(f"clip '{clip.id}' has {error}") from error
        if windows.repeated:
            self.repeated.append(clip.id)
        parts = []
        for some in windows.frames.split(_at_once(windows.frames)):
            shown, places = some.unique(return_inverse=True)
            frames = torch.from_numpy(stored.frames(shown.numpy())).permute(0, 3, 1, 2)
            squares = modality.squares(frames, clip).to(device)
            parts.append(self.model(squares[places.to(device)]).cpu())
        return torch.cat(parts)[windows.kept], windows.times

    def tokens(self, inputs: Tokens) -> Tokens:
        """As in every encoder on a pretrained model. Windows of one length go through it together."""
        if inputs.values.ndim == 3:
            return inputs
        frames, device = inputs.values, inputs.values.device
        real, seconds = inputs.on_cpu()
        counts = real.sum(dim=1).tolist()
        cut = {row: self.windows(seconds[row, :count]) for row, count in enumerate(counts) if count}
        vectors: dict[int, Tensor] = {}
        for length in {windows.frames.shape[1] for windows in cut.values()}:
            rows = {row: windows for row, windows in cut.items() if windows.frames.shape[1] == length}
            shown = torch.cat([frames[row][windows.frames.to(device)] for row, windows in rows.items()])
            found = torch.cat([self.model(some) for some in shown.split(_at_once(shown))])
            of_each = found.split([len(windows.frames) for windows in rows.values()])
            for (row, windows), part in zip(rows.items(), of_each, strict=True):
                vectors[row] = part[windows.kept.to(device)]
        kept = torch.tensor([len(vectors.get(row, ())) for row in range(len(counts))])
        mask = torch.arange(max(int(kept.max()), 1)) < kept[:, None]
        values, time = torch.zeros(*mask.shape, self.features, device=device), torch.zeros(mask.shape)
        if cut:
            values[mask] = torch.cat([vectors[row] for row in cut]).to(values.dtype)
            time[mask] = torch.cat([windows.times for windows in cut.values()])
        return Tokens(values, mask, time).to(device)

    def windows(self, times: Float[Tensor, " T"]) -> Windows:
        """What the model sees of a clip with frames at these times."""
        config = self.config
        return cut_windows(
            times,
            self.model.video,
            stride=config.stride,
            step=config.frame_step,
            pad=config.short_clips == "pad",
        )


def _framing(config: VideoModel.Config) -> Framing:
    return video_of(config.model).picture.framing


def _at_once(windows: Tensor) -> int:
    """How many windows (W, T, ...) go through the model together."""
    return max(1, FRAMES_AT_ONCE // windows.shape[1])
