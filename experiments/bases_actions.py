"""Bases for data sets of actions and events: what is seen, with its sound. `bases.py` has all by name."""

from __future__ import annotations

from mmvideo.components import EncoderChoice
from mmvideo.config import DataConfig, Input, RunConfig, RuntimeConfig, TrainConfig

CLIP, VJEPA = "openai/clip-vit-base-patch32", "facebook/vjepa2-vitl-fpc64-256"
AST, WHISPER = "MIT/ast-finetuned-audioset-10-10-0.4593", "openai/whisper-small"


def plain(manifest: str, seconds: float) -> RunConfig:
    """Pixels at 16×16 and MFCC, the floor's own features, under a fusion: nothing is fetched, and little is
    learnt that the floor of the table does not know."""
    return RunConfig(
        inputs={
            "visual": Input.of("visual", EncoderChoice.of("pixels", clip_pool="mean"), frame_size=64),
            "audio": Input.of("audio", EncoderChoice.of("mfcc", clip_pool="mean", hop_seconds=0.04)),
            "text": Input.of("text"),
        },
        data=DataConfig(manifest=manifest, frame_rate=4.0, max_seconds=seconds),
        train=TrainConfig(epochs=20, batch_size=32, learning_rate=1e-3, patience=10),
    )


def pretrained(manifest: str, visual: EncoderChoice, audio: EncoderChoice, frame_rate: float) -> RunConfig:
    """Two frozen models, whose vectors of all clips are kept; what is trained stands on them."""
    return RunConfig(
        width=256,
        inputs={
            "visual": Input.of("visual", visual, frame_size=256, frame_codec="jpeg", random_crop=False),
            "audio": Input.of("audio", audio),
            "text": Input.of("text"),
        },
        data=DataConfig(manifest=manifest, frame_rate=frame_rate, max_seconds=10.0),
        train=TrainConfig(
            epochs=30,
            batch_size=64,
            learning_rate=3e-4,
            weight_decay=0.3,
            patience=10,
            precision="bf16-mixed",
        ),
        runtime=RuntimeConfig(threads=4, loader_workers=4),
    )


def hmdb51(manifest: str = "data/hmdb51/split1/manifest.jsonl") -> RunConfig:
    """HMDB51 without a GPU: pixels and MFCC of 3 s.

    Cost and numbers: not measured here. Chance is 2.0 % (51 classes, 30 test clips each).
    Command: make ablation DATASET=hmdb51 DATA=/path/to/download
    """
    return plain(manifest, 3.0)


def hmdb51_gpu(manifest: str = "data/hmdb51/split1/manifest.jsonl") -> RunConfig:
    """HMDB51 on V-JEPA 2's vector of every second frame, sound under AST.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=hmdb51 BASE=hmdb51_gpu DATA=/path/to/download
    """
    return pretrained(manifest, _frozen("video_model", VJEPA), _frozen("sound_model", AST), 8.0)


def kinetics(manifest: str = "data/kinetics/manifest.jsonl") -> RunConfig:
    """Kinetics without a GPU: pixels and MFCC of 5 s; for trying the pipeline on a part of it.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=kinetics DATA=/path/to/download PREPARE="--edition 400"
    """
    return plain(manifest, 5.0)


def kinetics_gpu(manifest: str = "data/kinetics/manifest.jsonl") -> RunConfig:
    """Kinetics on V-JEPA 2's vector of every second frame, sound under AST; encoded once.

    Cost: not measured here. Published, Kinetics-400, trained end to end (Wang et al., Gradient-Blend, CVPR
    2020): RGB alone 72.6 %, RGB and audio trained together 71.4.
    Command: make ablation DATASET=kinetics BASE=kinetics_gpu DATA=/path/to/download PREPARE="--edition 400"
    """
    return pretrained(manifest, _frozen("video_model", VJEPA), _frozen("sound_model", AST), 8.0)


def vggsound(manifest: str = "data/vggsound/manifest.jsonl") -> RunConfig:
    """VGGSound without a GPU: pixels and MFCC of 5 s; for trying the pipeline on a part of it.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=vggsound DATA=/path/to/download
    """
    return plain(manifest, 5.0)


def vggsound_gpu(manifest: str = "data/vggsound/manifest.jsonl") -> RunConfig:
    """VGGSound on CLIP's vector of each frame, two a second, sound under AST; encoded once.

    Cost: not measured here. Published, both modalities, trained for it: 65.8 % (UAVM, arXiv 2208.00061). Of
    the test clips' labels, 48 % do not fit what is seen or what is heard (VGGSounder, arXiv 2508.08237).
    Command: make ablation DATASET=vggsound BASE=vggsound_gpu DATA=/path/to/download
    """
    return pretrained(manifest, _frozen("frame_model", CLIP), _frozen("sound_model", AST), 2.0)


def ave(manifest: str = "data/ave/manifest.jsonl") -> RunConfig:
    """AVE without a GPU: pixels and MFCC of 10 s.

    Cost and numbers: not measured here. Published results count single seconds, these count clips.
    Command: make ablation DATASET=ave DATA=/path/to/download
    """
    return plain(manifest, 10.0)


def ave_gpu(manifest: str = "data/ave/manifest.jsonl") -> RunConfig:
    """AVE on CLIP's vector of each frame, two a second, sound under Whisper's encoder; encoded once.

    AVE's videos are a part of AudioSet: AST, which was trained on AudioSet's labels, may know the answers.
    Cost and numbers: not measured here. Published results count single seconds, these count clips.
    Command: make ablation DATASET=ave BASE=ave_gpu DATA=/path/to/download
    """
    return pretrained(manifest, _frozen("frame_model", CLIP), _frozen("sound_model", WHISPER), 2.0)


def _frozen(name: str, model: str) -> EncoderChoice:
    return EncoderChoice.of(name, model=model, clip_pool="mean", half=True)
