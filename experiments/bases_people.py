"""Bases for data sets of people who speak: faces, voices, what they say. `bases.py` has them all by name."""

from __future__ import annotations

from mmvideo.components import EncoderChoice
from mmvideo.config import DataConfig, Input, RunConfig, RuntimeConfig, TrainConfig
from mmvideo.vocabulary import TaskKind

DINO, CLIP = "facebook/dinov2-base", "openai/clip-vit-base-patch32"
WAVLM, WHISPER = "microsoft/wavlm-base", "openai/whisper-small"
SENTENCES = "sentence-transformers/all-MiniLM-L6-v2"


def small(
    manifest: str, seconds: float, read: tuple[str, ...] = (), task: TaskKind = "single_label"
) -> RunConfig:
    """Small encoders from scratch: frames at 56 pixels, a spectrogram, and a transformer over the words.

    Args:
        read: metadata that are read as text, beside subtitles.
    """
    cnn = EncoderChoice.of("cnn_lstm", channels=(16, 32, 64), picture_size=56)
    spectrogram = EncoderChoice.of("spectrogram_cnn", channels=(8, 16, 32), hop_seconds=0.02)
    words = EncoderChoice.of("transformer", vocabulary_size=4096)
    return RunConfig(
        inputs={
            "visual": Input.of("visual", cnn, frame_size=64),
            "audio": Input.of("audio", spectrogram),
            "text": Input.of("text", words, metadata_fields=read),
        },
        data=DataConfig(manifest=manifest, frame_rate=4.0, max_seconds=seconds, task=task),
        train=TrainConfig(epochs=15, batch_size=32, learning_rate=1e-3, patience=5),
    )


def pretrained(
    manifest: str,
    seconds: float,
    read: tuple[str, ...] = (),
    task: TaskKind = "single_label",
    *,
    pictures: str = CLIP,
    sound: str = WAVLM,
) -> RunConfig:
    """Three frozen models, whose vectors of all clips are kept: of each frame, four a second, of each column
    of sound (WavLM's ninth layer, since the last ones serve its training task) and of the whole text."""
    frames = EncoderChoice.of("frame_model", model=pictures, clip_pool="mean", half=True)
    layer = 9 if sound == WAVLM else "last"
    heard = EncoderChoice.of("sound_model", model=sound, layer=layer, clip_pool="mean", half=True)
    words = EncoderChoice.of("text_model", model=SENTENCES, unit="clip", clip_pool="mean")
    return RunConfig(
        width=256,
        inputs={
            "visual": Input.of("visual", frames, frame_size=256, frame_codec="jpeg", random_crop=False),
            "audio": Input.of("audio", heard),
            "text": Input.of("text", words, metadata_fields=read),
        },
        data=DataConfig(manifest=manifest, frame_rate=4.0, max_seconds=seconds, task=task),
        train=TrainConfig(
            epochs=30,
            batch_size=32,
            learning_rate=3e-4,
            weight_decay=0.3,
            patience=10,
            precision="bf16-mixed",
        ),
        runtime=RuntimeConfig(threads=4, loader_workers=4),
    )


def crema_d(manifest: str = "data/crema_d/manifest.jsonl") -> RunConfig:
    """CREMA-D without a GPU. Text is not read: every sentence is said with all emotions.

    Cost and numbers: not measured here. Published for concatenation: 43 to 76 % in five papers, on a split
    that has all actors in both parts; this one divides them.
    Command: make ablation DATASET=crema_d DATA=/path/to/download
    """
    return small(manifest, 3.0)


def crema_d_gpu(manifest: str = "data/crema_d/manifest.jsonl") -> RunConfig:
    """CREMA-D on DINOv2's vectors of frames and WavLM's of sound, encoded once.

    Cost and numbers: not measured here; for published ones see `crema_d`.
    Command: make ablation DATASET=crema_d BASE=crema_d_gpu DATA=/path/to/download
    """
    return pretrained(manifest, 3.0, pictures=DINO)


def ravdess(manifest: str = "data/ravdess/manifest.jsonl") -> RunConfig:
    """RAVDESS without a GPU. Text is not read: both sentences are said with all emotions.

    Cost and numbers: not measured here. With 24 actors, a test split has about five: give several seeds.
    Command: make ablation DATASET=ravdess DATA=/path/to/download
    """
    return small(manifest, 4.0)


def ravdess_gpu(manifest: str = "data/ravdess/manifest.jsonl") -> RunConfig:
    """RAVDESS on DINOv2's vectors of frames and WavLM's of sound, encoded once.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=ravdess BASE=ravdess_gpu DATA=/path/to/download
    """
    return pretrained(manifest, 4.0, pictures=DINO)


def meld(manifest: str = "data/meld/manifest.jsonl") -> RunConfig:
    """MELD without a GPU: the first 5 s of each utterance, and its transcript.

    Cost and numbers: not measured here. 48.1 % of the test utterances are neutral (1,256 of 2,610).
    Command: make ablation DATASET=meld DATA=/path/to/download
    """
    return small(manifest, 5.0, ("transcript",))


def meld_gpu(manifest: str = "data/meld/manifest.jsonl") -> RunConfig:
    """MELD on CLIP's vectors of frames, WavLM's of sound and MiniLM's of the utterance, encoded once.

    Cost and numbers: not measured here; 48.1 % of the test utterances are neutral. Published results mostly
    read the utterances before as well, and count weighted F1.
    Command: make ablation DATASET=meld BASE=meld_gpu DATA=/path/to/download
    """
    return pretrained(manifest, 5.0, ("transcript",))


def mustard(manifest: str = "data/mustard/manifest.jsonl") -> RunConfig:
    """MUStARD without a GPU: the utterance as text; speaker and show are left unread.

    Cost and numbers: not measured here. Half of the utterances are sarcastic.
    Command: make ablation DATASET=mustard DATA=/path/to/download
    """
    return small(manifest, 5.0, ("transcript",))


def mustard_gpu(manifest: str = "data/mustard/manifest.jsonl") -> RunConfig:
    """MUStARD on CLIP's vectors of frames, WavLM's of sound and MiniLM's of the utterance, encoded once.

    Cost: not measured here. Published, on features (MultiBench, arXiv 2107.07502): best single modality
    68.6 %, early 65.8, late 66.1, MulT 71.8.
    Command: make ablation DATASET=mustard BASE=mustard_gpu DATA=/path/to/download
    """
    return pretrained(manifest, 5.0, ("transcript",))


def cmu_mosi(manifest: str = "data/cmu_mosi/manifest.jsonl") -> RunConfig:
    """CMU-MOSI's clips without a GPU: sentiment from -3 to 3, with the transcript as text.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=cmu_mosi DATA=/path/to/MOSI
    """
    return small(manifest, 6.0, ("transcript",), "regression")


def cmu_mosi_gpu(manifest: str = "data/cmu_mosi/manifest.jsonl") -> RunConfig:
    """CMU-MOSI's clips on CLIP, WavLM and MiniLM, encoded once.

    Cost: not measured here. Published, on features, two classes without 0 (MMSA): EF-LSTM 78.5 %, TFN 79.1,
    LMF 79.2, MulT 81.0, MISA 83.5, Self-MM 85.5; many such numbers were selected on test.
    Command: make ablation DATASET=cmu_mosi BASE=cmu_mosi_gpu DATA=/path/to/MOSI
    """
    return pretrained(manifest, 6.0, ("transcript",), "regression")


def cmu_mosei(manifest: str = "data/cmu_mosei/manifest.jsonl") -> RunConfig:
    """CMU-MOSEI's clips without a GPU: sentiment from -3 to 3, with the transcript as text.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=cmu_mosei DATA=/path/to/MOSEI
    """
    return small(manifest, 8.0, ("transcript",), "regression")


def cmu_mosei_gpu(manifest: str = "data/cmu_mosei/manifest.jsonl") -> RunConfig:
    """CMU-MOSEI's clips on CLIP, WavLM and MiniLM, encoded once.

    Cost: not measured here. Published (BalanceBenchmark): text alone 80.6 %, the three trained together 79.0.
    Command: make ablation DATASET=cmu_mosei BASE=cmu_mosei_gpu DATA=/path/to/MOSEI
    """
    return pretrained(manifest, 8.0, ("transcript",), "regression")


def grid(manifest: str = "data/grid/manifest.jsonl") -> RunConfig:
    """GRID without a GPU: which digit is said, by speakers who were not seen in training.

    The words are subtitles; `--text masked` leaves out the one asked for, and text tells next to nothing.
    Cost and numbers: not measured here (`grid_digits` has one speaker's, measured).
    Command: make ablation DATASET=grid DATA=/path/to/grid PREPARE="--task digit --text masked"
    """
    return small(manifest, 3.0)


def grid_gpu(manifest: str = "data/grid/manifest.jsonl") -> RunConfig:
    """GRID on DINOv2's vectors of frames and Whisper's of sound, encoded once.

    Cost and numbers: not measured here. Whisper knows English words: on clean sound little is left to fuse.
    Command: make ablation DATASET=grid BASE=grid_gpu DATA=/path/to/grid PREPARE="--task digit --text masked"
    """
    return pretrained(manifest, 3.0, pictures=DINO, sound=WHISPER)


def msrvtt(manifest: str = "data/msrvtt/manifest.jsonl") -> RunConfig:
    """MSR-VTT without a GPU: one of 20 categories, from 10 s and one caption.

    Captions are no words of the video: people wrote them who had seen it.
    Cost and numbers: not measured here.
    Command: make ablation DATASET=msrvtt DATA=/path/to/MSRVTT PREPARE="--captions 1"
    """
    return small(manifest, 10.0, ("captions",))


def msrvtt_gpu(manifest: str = "data/msrvtt/manifest.jsonl") -> RunConfig:
    """MSR-VTT on CLIP's vectors of frames, Whisper's of sound and MiniLM's of the caption, encoded once.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=msrvtt BASE=msrvtt_gpu DATA=/path/to/MSRVTT PREPARE="--captions 1"
    """
    return pretrained(manifest, 10.0, ("captions",), sound=WHISPER)


def table(manifest: str = "data/table/manifest.jsonl") -> RunConfig:
    """Your own clips, listed in a table, without a GPU: the first 5 s of each, and subtitles.

    Columns of text are read with `inputs.text.options.metadata_fields`; several labels or a number need
    `data.task`. Cost and numbers: not measured here.
    Command: make ablation DATASET=table DATA=clips.csv PREPARE="--columns label=emotion video=path"
    """
    return small(manifest, 5.0)


def table_gpu(manifest: str = "data/table/manifest.jsonl") -> RunConfig:
    """Your own clips on CLIP, Whisper's encoder and MiniLM, 10 s of each, encoded once.

    Cost and numbers: not measured here.
    Command: make ablation DATASET=table BASE=table_gpu DATA=clips.csv PREPARE="--columns label=emotion"
    """
    return pretrained(manifest, 10.0, sound=WHISPER)
