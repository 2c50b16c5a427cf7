"""Base configurations: each function returns one complete run, to train as it is or to build a study on.

Examples:
    mmvideo train experiments/bases.py:planted --fusion.name late
    mmvideo ablate experiments/fusion_strategies.py -- --base ucf101
"""

from __future__ import annotations

from mmvideo.config import (
    AudioConfig,
    DataConfig,
    RunConfig,
    RuntimeConfig,
    TextConfig,
    TrainConfig,
    VisualConfig,
)


def planted(manifest: str = "data/planted/mixed/manifest.jsonl") -> RunConfig:
    """Planted data on a laptop: 2,400 clips of 1 s, small encoders from scratch.

    Cost: 16 to 70 s on one CPU core, under 1 GB. Expected: on `mixed`, 93 % (results table in README.md).
    Command: mmvideo train experiments/bases.py:planted
    """
    return RunConfig(
        data=DataConfig(
            manifest=manifest,
            frame_rate=8.0,
            frame_size=40,
            crop_size=36,
            max_seconds=1.0,
            hop_seconds=0.02,
            vocabulary_size=256,
        ),
        visual=VisualConfig(channels=(16, 32, 64)),
        audio=AudioConfig(channels=(8, 16, 32)),
        train=TrainConfig(epochs=4, batch_size=16, learning_rate=1e-3, patience=4),
    )


def ucf101(manifest: str = "data/ucf101/split1/manifest.jsonl") -> RunConfig:
    """UCF101 without a GPU: 2 s windows, 4 frames a second at 56 pixels, small encoders from scratch.

    Cost: 4 to 27 s a run on the 125 clips of five classes, one CPU core.
    Expected: far below what pretraining reaches; it is
    for trying the pipeline on real clips, and for what presence of audio alone tells (see the controls).
    Command: make ablation DATASET=ucf101 DATA=/path/to/download
    """
    return RunConfig(
        data=DataConfig(
            manifest=manifest,
            frame_rate=4.0,
            frame_size=64,
            crop_size=56,
            max_seconds=2.0,
            flip_probability=0.5,
            rotate_degrees=5.0,
            hop_seconds=0.02,
        ),
        visual=VisualConfig(channels=(16, 32, 64)),
        audio=AudioConfig(channels=(8, 16, 32)),
        train=TrainConfig(epochs=15, batch_size=16, learning_rate=1e-3, patience=15),
    )


def ucf101_gpu(manifest: str = "data/ucf101/split1/manifest.jsonl") -> RunConfig:
    """UCF101 as one would train it on a GPU: ImageNet ResNet-18, 16 frames at 224 pixels, LSTM, audio.

    Cost: not measured here. Expected (published, RGB alone): CNN+LSTM 82.6 (Ng et al., 2015), frozen ImageNet
    ResNet-50 features 76.5. The weights are fetched to torch's cache, or give a file:
    --visual.weights resnet18.pth
    Command: make ablation DATASET=ucf101 BASE=ucf101_gpu DATA=/path/to/download
    """
    return RunConfig(
        width=512,
        data=DataConfig(
            manifest=manifest,
            frame_rate=4.0,
            frame_size=256,
            crop_size=224,
            max_seconds=4.0,
            flip_probability=0.5,
            rotate_degrees=5.0,
            normalization="imagenet",
            max_tokens=128,
            vocabulary_size=8192,
        ),
        visual=VisualConfig(backbone="resnet18", weights="DEFAULT", dropout=0.5),
        audio=AudioConfig(channels=(32, 64, 128), trunk_layers=3),
        text=TextConfig(layers=4, heads=8, hidden=256),
        train=TrainConfig(
            epochs=30,
            batch_size=32,
            learning_rate=1e-4,
            weight_decay=0.05,
            patience=8,
            precision="bf16-mixed",
        ),
        runtime=RuntimeConfig(threads=4, loader_workers=8),
    )


def grid_digits(manifest: str = "data/grid_digits/manifest.jsonl") -> RunConfig:
    """Spoken digits, 1,000 clips: mouth pixels (precomputed), sound, and a transcript right half of the time.

    The clips are cut to the word, so clip vectors keep *when* (`segments`): with 680 clips to train on,
    attention does not learn where to look.
    Cost: 4 to 30 s a run on one core. Expected: sound alone 98.9 %, late 98.2, hierarchical 98.8 (5 seeds).
    Command: make ablation DATASET=grid_digits DATA=/path/to/grid_digits
    """
    return RunConfig(
        width=32,
        data=DataConfig(
            manifest=manifest,
            frame_rate=1.0,
            frame_size=32,
            crop_size=32,
            hop_seconds=0.02,
            vocabulary_size=128,
        ),
        visual=VisualConfig(name="features", dropout=0.4, clip_pool="segments"),
        audio=AudioConfig(
            mel_bins=24, channels=(8, 16, 16), dropout=0.4, standardize=True, clip_pool="segments"
        ),
        text=TextConfig(layers=1, hidden=32),
        train=TrainConfig(epochs=20, batch_size=32, learning_rate=3e-3, patience=20),
    )


def grid_digits_noisy(manifest: str = "data/grid_digits/manifest.jsonl") -> RunConfig:
    """The same with white noise on the sound of every clip, at -10 dB; in training it is drawn anew.

    Expected: sight alone 78.7 %, sound alone 77.0, late 92.8, hierarchical 90.3 (5 seeds).
    Command: make ablation DATASET=grid_digits BASE=grid_digits_noisy DATA=/path/to/grid_digits
    """
    base = grid_digits(manifest)
    augment = base.data.augment.model_copy(update={"redraw_noise": True})
    return base.model_copy(
        update={"data": base.data.model_copy(update={"audio_snr_db": -10.0, "augment": augment})}
    )


def cmu_mosi_features(manifest: str = "data/cmu_mosi_features/manifest.jsonl") -> RunConfig:
    """CMU-MOSI from precomputed utterance features: positive or negative, one vector for each modality.

    Expected: text alone about as good as all three; see datasets/cmu_mosi_features/README.md for why.
    Command: make ablation DATASET=cmu_mosi_features DATA=/path/to/cmu_mosi_features
    """
    return RunConfig(
        data=DataConfig(manifest=manifest),
        visual=VisualConfig(name="features", dropout=0.3),
        audio=AudioConfig(name="features", dropout=0.3),
        text=TextConfig(name="features", dropout=0.3),
        train=TrainConfig(epochs=10, batch_size=32, learning_rate=5e-4, weight_decay=0.1, patience=10),
    )
