"""A pretrained model of video clips on windows of frames."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import FRAMES_AT_ONCE, Ahead, options_of, weights_digest
from mmvideo.encoders.tuning import TunedEncoder, tune_network
from mmvideo.encoders.video_models import FAMILIES, load_video_model, video_of
from mmvideo.encoders.video_windows import Windows, cut_windows
from mmvideo.errors import InputError
from mmvideo.layers.trunk import Trunk, make_trunk
from mmvideo.modalities.base import Modality
from mmvideo.modalities.pictures import Framing
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.schema import Positive, WeightsFile
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level


class VideoModel(TunedEncoder):
    """Stem: the model's vector of each tubelet (its tokens of one step of time, averaged over space),
    projected, with the tubelet's centre as its time. Trunk: none, LSTM or transformer. Clip: pooled.

    Inputs are uint8 frames (B, T, 3, H, W), framed as the model's own files say, or what was made of all of a
    clip's frames before, (B, N, F).
    """

    takes: ClassVar[str] = "visual"
    families = FAMILIES

    class Config(TunedEncoder.Config):
        """The model, the windows that it sees, how much of it is trained, and what stands on it."""

        model: WeightsFile = None
        """Local folder or hub name of a VideoMAE, V-JEPA 2, ViViT, TimeSformer or VideoPrism model."""
        stride: Positive | None = None
        """Frames from one window's beginning to the next one's; each moment is kept of the first window that
        shows it. None: windows side by side."""
        frame_step: Positive | None = None
        """Every which stored frame the model sees. None: what comes nearest to the rate that its preprocessor
        says; all, where it says none."""
        short_clips: Literal["refuse", "pad"] = "refuse"
        """What becomes of fewer frames than the model takes. `pad`: the last is shown again to the window's
        end, and vectors of repetitions are masked. V-JEPA 2 takes fewer, and is not padded."""
        cached: bool | None = None
        """Compute the frozen model's vectors of all of a clip's frames once, keep them in the store and read
        them instead of frames. None: where all frames are used, not augmented and evaluated in one crop.
        FLOPs and latency are then those of what stands on the vectors."""
        half: bool = False
        """Keep those vectors in half precision."""
        trunk: Trunk = "none"

        @model_validator(mode="after")
        def _cached_is_frozen(self) -> VideoModel.Config:
            if self.cached and not self.unchanging:
                raise ValueError("cached is for a model that does not change; set frozen too, without tune")
            return self

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        return Pictures(unchanging=config.cached is True, framing_of=partial(_framing, config))

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        window = video_of(config.model).frames
        if config.stride is not None and config.stride > window:
            raise InputError(
                f"stride: windows of {window} frames, {config.stride} apart, leave out frames; lower it, or "
                "let the model see fewer with `frame_step`"
            )
        super().refuse_unusable(config)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        return load_video_model(config.model).network

    @classmethod
    def encode_ahead(cls, config: Config, modality: Modality, device: torch.device) -> Ahead | None:
        assert isinstance(modality, Visual)
        steady = modality.config.sampling == "rate" and not modality.config.changes_frames
        if not (config.unchanging and steady if config.cached is None else config.cached):
            return None
        if not steady:
            raise InputError(
                f"inputs.{modality.name}: `cached` keeps what the model makes of all stored frames, so "
                f"sampling '{modality.config.sampling}' would not choose what it sees; leave it at 'rate', "
                "or set cached=False"
            )
        encoder = cls(config, None, 1, frozenset({"stem"})).eval().to(device)  # no width is used here
        return encoder.encoding(modality, device)

    def __init__(self, config: Config, told: None, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.model = load_video_model(config.model)
        tune_network(self.model.network, config)
        self.features = self.model.features
        self.project = nn.Sequential(
            nn.LayerNorm(self.features, elementwise_affine=False),
            nn.Linear(self.features, width),
            nn.LayerNorm(width),
            nn.Dropout(config.dropout),
        )
        self.on_top = make_trunk(config.trunk, width, config.dropout) if self.needs_trunk else None

    @property
    def pretrained(self) -> nn.Module:
        return self.model.network

    @property
    def made_by(self) -> dict[str, Any]:
        """What decides the vectors of a clip's frames."""
        weights = weights_digest(self.model.network)
        return {**options_of(self.config), **self.model.made_by, "weights": weights}

    def encoding(self, visual: Visual, device: torch.device) -> Ahead:
        """How the vectors of a clip's tubelets are made."""
        repeated: list[str] = []

        def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
            times = torch.from_numpy(stored.clip.frame_times)
            if not len(times):
                return torch.zeros(0, self.features), times
            try:
                windows = self.windows(times)
            except InputError as error:
                raise InputError(f"clip '{clip.id}' has {error}") from error
            if windows.repeated:
                repeated.append(clip.id)
            parts = []
            for some in windows.frames.split(_at_once(windows.frames)):
                shown, places = some.unique(return_inverse=True)
                frames = torch.from_numpy(stored.frames(shown.numpy())).permute(0, 3, 1, 2)
                squares = visual.transforms[False](frames, 0).to(device)
                parts.append(self.model(squares[places.to(device)]).cpu())
            return torch.cat(parts)[windows.kept], windows.times

        told = (
            f"had fewer frames than the {self.model.video.frames} that '{self.config.model}' takes, and the "
            "last was shown again; vectors of repetitions alone are left out."
        )
        return Ahead(encode, self.made_by, self.config.half, {told: repeated})

    def stem(self, inputs: Tokens) -> Tokens:
        tokens = inputs if inputs.values.ndim == 3 else self.tubelets(inputs)
        values = tokens.values.masked_fill(~tokens.mask[..., None], 0.0)
        return tokens.replace_values(self.project(values))

    def tubelets(self, inputs: Tokens) -> Tokens:
        """The model's vectors of each clip's tubelets, (B, N, F). Windows of one length go through it
        together."""
        frames, device = inputs.values, inputs.values.device
        counts, seconds = inputs.mask.sum(dim=1).tolist(), inputs.time.cpu()
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
        return Tokens(values, mask.to(device), time.to(device))

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

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.on_top is not None
        return self.on_top(stem)


def _framing(config: VideoModel.Config) -> Framing:
    return video_of(config.model).picture.framing


def _at_once(windows: Tensor) -> int:
    """How many windows (W, T, ...) go through the model together."""
    return max(1, FRAMES_AT_ONCE // windows.shape[1])
