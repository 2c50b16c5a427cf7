"""Base configurations: each function returns one complete run, to train as it is or to build a study on.

Every recipe of datasets/ has one of its name, which runs without a GPU and without a download, and one on
pretrained encoders. What is not here is in bases_actions.py and bases_people.py; all are named from here.

Examples:
    mmvideo train experiments/bases.py:planted --fusion.name late
    mmvideo ablate experiments/fusion_strategies.py -- --base ucf101
"""

from __future__ import annotations

from bases_actions import (  # noqa: F401
    ave,
    ave_gpu,
    hmdb51,
    hmdb51_gpu,
    kinetics,
    kinetics_gpu,
    vggsound,
    vggsound_gpu,
)
from bases_people import (  # noqa: F401
    cmu_mosei,
    cmu_mosei_gpu,
    cmu_mosi,
    cmu_mosi_gpu,
    crema_d,
    crema_d_gpu,
    grid,
    grid_gpu,
    meld,
    meld_gpu,
    msrvtt,
    msrvtt_gpu,
    mustard,
    mustard_gpu,
    ravdess,
    ravdess_gpu,
    table,
    table_gpu,
)

from mmvideo.components import EncoderChoice
from mmvideo.config import DataConfig, Input, RunConfig, RuntimeConfig, TrainConfig


def planted(manifest: str = "data/planted/mixed/manifest.jsonl") -> RunConfig:
    """Planted data on a laptop: 2,400 clips of 1 s, small encoders from scratch.

    Cost: 16 to 70 s on one CPU core, under 1 GB. Expected: on `mixed`, 93 % (results table in README.md).
    Command: mmvideo train experiments/bases.py:planted
    """
    cnn = EncoderChoice.of("cnn_lstm", channels=(16, 32, 64), picture_size=36)
    spectrogram = EncoderChoice.of("spectrogram_cnn", channels=(8, 16, 32), hop_seconds=0.02)
    return RunConfig(
        inputs={
            "visual": Input.of("visual", cnn, frame_size=40),
            "audio": Input.of("audio", spectrogram),
            "text": Input.of("text", EncoderChoice.of("transformer", vocabulary_size=256)),
        },
        data=DataConfig(manifest=manifest, frame_rate=8.0, max_seconds=1.0),
        train=TrainConfig(epochs=4, batch_size=16, learning_rate=1e-3, patience=4),
    )


def folder(manifest: str = "data/folder/manifest.jsonl") -> RunConfig:
    """Clips of one's own, 200 to 1,000 of them: plain encoders that hold what the floor holds, no download.

    10 s windows; pixels at 16×16 and their change in four parts of the clip, MFCC in twelve, each beside mean
    and deviation over the clip; words from scratch. At least 400 steps, and the last epoch is kept: few clips
    can hardly choose one. The vectors are kept; with redrawn noise or other changes in training, set
    ARGS="--set inputs.audio.encoder.options.cached=false".
    Expected (LOG.md): on five classes of UCF101, splits 1-3, `late_sum` 87.6, 83.8, 81.0, `hierarchical`
    81.9, 87.6, 81.0, `linear`, `late` and `early` 76 to 85, all 2 to 17 points above the floor (3 seeds); on
    spoken digits at -10 dB `linear`, `late_sum`, `late`, `hierarchical` 7 to 9 above (3 seeds), `early` 41.5
    below (seed 0); each modality alone, on the clips that have it, at its floor or about it.
    Cost: 42 s of CPU for three arms on 125 clips of UCF101, once vectors are kept.
    Command: make ablation DATASET=folder DATA=/path/to/clips
    """
    pixels = EncoderChoice.of("pixels", summary=True, parts=4, clip_pool="mean", cached=True, dropout=0.3)
    mfcc = EncoderChoice.of("mfcc", summary=True, parts=12, clip_pool="segments", cached=True, dropout=0.3)
    return RunConfig(
        width=256,
        inputs={
            "visual": Input.of("visual", pixels, frame_size=32, random_crop=False),
            "audio": Input.of("audio", mfcc),
            "text": Input.of("text"),
        },
        data=DataConfig(manifest=manifest, frame_rate=2.0, max_seconds=10.0),
        train=TrainConfig(
            epochs=20, least_steps=400, batch_size=16, learning_rate=3e-4, weight_decay=0.3, select="last"
        ),
    )


def folder_frozen(manifest: str = "data/folder/manifest.jsonl") -> RunConfig:
    """The same with a frozen model's vector of each frame in place of pixels (EfficientNet-Lite0 of timm).

    The model is fetched from the hub; or name a local folder:
    ARGS="--set inputs.visual.encoder.options.model=FOLDER"
    Command: make ablation DATASET=folder BASE=folder_frozen DATA=/path/to/clips
    """
    base = folder(manifest)
    frames = EncoderChoice.of(
        "frame_model", model="timm/tf_efficientnet_lite0.in1k", clip_pool="mean", dropout=0.3
    )
    visual = Input.of("visual", frames, frame_size=256, frame_codec="jpeg", random_crop=False)
    return base.model_copy(update={"inputs": {**base.inputs, "visual": visual}})


def ucf101(manifest: str = "data/ucf101/split1/manifest.jsonl") -> RunConfig:
    """UCF101 without a GPU: 2 s windows, 4 frames a second at 56 pixels, small encoders from scratch.

    Cost: 4 to 27 s a run on the 125 clips of five classes, one CPU core.
    Expected: far below what pretraining reaches; it is
    for trying the pipeline on real clips, and for what presence of audio alone tells (see the controls).
    Command: make ablation DATASET=ucf101 DATA=/path/to/download
    """
    cnn = EncoderChoice.of("cnn_lstm", channels=(16, 32, 64), picture_size=56)
    spectrogram = EncoderChoice.of("spectrogram_cnn", channels=(8, 16, 32), hop_seconds=0.02)
    return RunConfig(
        inputs={
            "visual": Input.of("visual", cnn, frame_size=64, flip_probability=0.5, rotate_degrees=5.0),
            "audio": Input.of("audio", spectrogram),
            "text": Input.of("text"),
        },
        data=DataConfig(manifest=manifest, frame_rate=4.0, max_seconds=2.0),
        train=TrainConfig(epochs=15, batch_size=16, learning_rate=1e-3, patience=15),
    )


def ucf101_frozen(manifest: str = "data/ucf101/split1/manifest.jsonl") -> RunConfig:
    """UCF101 on a frozen ImageNet model's vector of each frame (EfficientNet-Lite0 of timm), sound as MFCC.

    The last epoch is kept: on a small set, validation clips are too few to choose one by.
    Cost: 80 s once for the 125 clips of five classes on a busy CPU core, then 6 s a run of visual alone.
    Expected: visual alone 0.79, 0.83, 0.89 on splits 1-3 of these (3 seeds), LOG.md.
    The model is fetched from the hub; or name a file:
    --inputs.visual.encoder.options.model tf_efficientnet_lite0 --inputs.visual.encoder.options.weights FILE
    Command: make ablation DATASET=ucf101 BASE=ucf101_frozen DATA=/path/to/download
    """
    frames = EncoderChoice.of("frame_model", model="timm/tf_efficientnet_lite0.in1k", clip_pool="mean")
    return RunConfig(
        width=256,
        inputs={
            "visual": Input.of("visual", frames, frame_size=256, frame_codec="jpeg", random_crop=False),
            "audio": Input.of("audio", EncoderChoice.of("mfcc", clip_pool="mean", hop_seconds=0.1)),
            "text": Input.of("text"),
        },
        data=DataConfig(manifest=manifest, frame_rate=2.0, max_seconds=10.0),
        train=TrainConfig(epochs=40, batch_size=16, learning_rate=3e-4, weight_decay=0.3, select="last"),
    )


def ucf101_gpu(manifest: str = "data/ucf101/split1/manifest.jsonl") -> RunConfig:
    """UCF101 as one would train it on a GPU: ImageNet ResNet-18, 16 frames at 224 pixels, LSTM, audio.

    Cost: not measured here. Expected (published, RGB alone): CNN+LSTM 82.6 (Ng et al., 2015), frozen ImageNet
    ResNet-50 features 76.5. The weights are fetched to torch's cache, or give a file:
    --inputs.visual.encoder.options.weights resnet18.pth
    Command: make ablation DATASET=ucf101 BASE=ucf101_gpu DATA=/path/to/download
    """
    resnet = EncoderChoice.of(
        "cnn_lstm", backbone="resnet18", weights="DEFAULT", normalization="imagenet", picture_size=224,
        dropout=0.5,
    )  # fmt: skip
    bert = EncoderChoice.of(
        "transformer", layers=4, heads=8, hidden=256, max_tokens=128, vocabulary_size=8192
    )
    return RunConfig(
        width=512,
        inputs={
            "visual": Input.of(
                "visual", resnet, frame_size=256, flip_probability=0.5, rotate_degrees=5.0, on_device=True
            ),
            "audio": Input.of(
                "audio", EncoderChoice.of("spectrogram_cnn", channels=(32, 64, 128), trunk_layers=3)
            ),
            "text": Input.of("text", bert),
        },
        data=DataConfig(manifest=manifest, frame_rate=4.0, max_seconds=4.0),
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


def grid_digits(manifest: str = "data/grid_digits/manifest.jsonl", snr_db: float | None = None) -> RunConfig:
    """Spoken digits, 1,000 clips: mouth pixels (precomputed), sound, and a transcript right half of the time.

    The clips are cut to the word, so clip embeddings keep *when* (`segments`): with 680 clips to train on,
    attention does not learn where to look.
    Cost: 4 to 30 s a run on one core. Expected: audio alone 98.9 %, late 98.2, hierarchical 98.8 (5 seeds).
    Command: make ablation DATASET=grid_digits DATA=/path/to/grid_digits
    """
    spectrogram = EncoderChoice.of(
        "spectrogram_cnn", mel_bins=24, channels=(8, 16, 16), dropout=0.4, standardize=True,
        clip_pool="segments", hop_seconds=0.02,
    )  # fmt: skip
    bert = EncoderChoice.of("transformer", layers=1, hidden=32, vocabulary_size=128)
    return RunConfig(
        width=32,
        inputs={
            "visual": Input.of(
                "features", EncoderChoice.of("feature_lstm", dropout=0.4, clip_pool="segments")
            ),
            "audio": Input.of("audio", spectrogram, snr_db=snr_db, redraw_noise=snr_db is not None),
            "text": Input.of("text", bert),
        },
        data=DataConfig(manifest=manifest, frame_rate=1.0),
        train=TrainConfig(epochs=20, batch_size=32, learning_rate=3e-3, patience=20),
    )


def grid_digits_noisy(manifest: str = "data/grid_digits/manifest.jsonl") -> RunConfig:
    """The same with white noise on the sound of every clip, at -10 dB; in training it is drawn anew.

    Expected: visual alone 85.9 %, audio alone 78.1, late 93.5, hierarchical 92.4 (5 seeds), LOG.md.
    Command: make ablation DATASET=grid_digits BASE=grid_digits_noisy DATA=/path/to/grid_digits
    """
    return grid_digits(manifest, snr_db=-10.0)


def grid_digits_noisy_whisper(manifest: str = "data/grid_digits/manifest.jsonl") -> RunConfig:
    """The same noisy sound under a frozen Whisper encoder (tiny.en), encoded once; the noise is not redrawn.

    Cost: 8 min once for the 1,000 clips on a core, then 30 to 100 s a run, hierarchical some minutes.
    Expected: sound alone 71.7 %, late and hierarchical 93.6 (5 seeds), LOG.md.
    The model is fetched from the hub; or name a folder: --inputs.audio.encoder.options.model FOLDER
    Command: make ablation DATASET=grid_digits BASE=grid_digits_noisy_whisper DATA=/path/to/grid_digits
    """
    base = grid_digits(manifest, snr_db=-10.0)
    whisper = EncoderChoice.of(
        "sound_model", model="openai/whisper-tiny.en", dropout=0.4, clip_pool="segments"
    )
    return base.model_copy(
        update={"inputs": {**base.inputs, "audio": Input.of("audio", whisper, snr_db=-10.0)}}
    )


def cmu_mosi_features(manifest: str = "data/cmu_mosi_features/manifest.jsonl") -> RunConfig:
    """CMU-MOSI from precomputed utterance features: positive or negative, one vector for each modality.

    Expected: text alone about as good as all three; see datasets/cmu_mosi_features/README.md for why.
    Command: make ablation DATASET=cmu_mosi_features DATA=/path/to/cmu_mosi_features
    """
    features = Input.of("features", EncoderChoice.of("feature_lstm", dropout=0.3))
    return RunConfig(
        inputs={"visual": features, "audio": features, "text": features},
        data=DataConfig(manifest=manifest),
        train=TrainConfig(epochs=10, batch_size=32, learning_rate=5e-4, weight_decay=0.1, patience=10),
    )


def cmu_mosi_transcripts(manifest: str = "data/cmu_mosi_features/manifest.jsonl") -> RunConfig:
    """The same with the transcripts as text: a frozen MiniLM's vector of each utterance.

    Cost: 4 min once for the 2,199 utterances on a busy core, then 25 to 60 s a run.
    Expected: text alone 77.0 % on the official split, 76.6 with `--protocol unseen` (5 seeds), LOG.md.
    The model is fetched from the hub; or name a folder: --inputs.text.encoder.options.model FOLDER
    Command: make ablation DATASET=cmu_mosi_features BASE=cmu_mosi_transcripts DATA=/path/to/cmu_mosi_features
    """
    features = Input.of("features", EncoderChoice.of("feature_lstm", dropout=0.3))
    sentences = EncoderChoice.of(
        "text_model", model="sentence-transformers/all-MiniLM-L6-v2", unit="clip", clip_pool="mean"
    )
    return RunConfig(
        width=256,
        inputs={
            "visual": features,
            "audio": features,
            "text": Input.of("text", sentences, metadata_fields=("transcript",)),
        },
        data=DataConfig(manifest=manifest),
        train=TrainConfig(epochs=20, batch_size=32, learning_rate=3e-4, weight_decay=0.3, patience=20),
    )
