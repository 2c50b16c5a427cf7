"""Speech recognition by a Whisper model of transformers.

Radford et al. (2022), Robust Speech Recognition via Large-Scale Weak Supervision,
https://arxiv.org/abs/2212.04356
"""

from __future__ import annotations

from typing import Any, Literal

from mmvideo.errors import InputError, unknown
from mmvideo.pretrained import find_model
from mmvideo.store.media import Samples
from mmvideo.store.subtitle_parser import Cue

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""A window whose text repeats itself is heard again at the next of these (section 4.5 of the paper)."""
MOST_COMPRESSED = 1.35
"""How many times shorter its tokens may become by zlib; transformers' usual value."""
SEED = 0


class Whisper:
    """A speech recognition model of transformers that gives times: Whisper and its kin.

    Args:
        model: a local folder or a hub name.
        device: `cpu`, `cuda`, or `auto`.
        language: such as `en`; None: the model finds out for itself, file by file.
        times: `cue` (sentences or so), or `word`, slower, where the model can.

    Raises:
        InputError: the model cannot be loaded, is not one that gives times, or does not know the language.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        language: str | None = None,
        times: Literal["cue", "word"] = "cue",
    ) -> None:
        import torch
        from transformers import pipeline
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        find_model(model)
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            recogniser: Any = pipeline("automatic-speech-recognition", model=model, device=chosen)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"--model '{model}' cannot be loaded for speech recognition: {error}") from error
        self._pipeline = recogniser
        if recogniser.type != "seq2seq_whisper":
            raise InputError(
                f"--model '{model}' is a {recogniser.model.config.model_type} model, which gives no "
                "times with its text. Choose a Whisper model, such as openai/whisper-small."
            )
        self.sample_rate = int(recogniser.feature_extractor.sampling_rate)
        self._times: Literal["word", True] = "word" if times == "word" else True
        self._generate: dict[str, Any] = {
            "temperature": TEMPERATURES,
            "compression_ratio_threshold": MOST_COMPRESSED,
        }
        if getattr(recogniser.model.generation_config, "is_multilingual", False):
            self._generate["task"] = "transcribe"  # and never translate
        if language is not None:
            self._generate["language"] = self._known(language)

    def _known(self, language: str) -> str:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
        known = getattr(self._pipeline.model.generation_config, "lang_to_id", None)
        if not known:
            raise InputError("The model knows one language only; leave --language away.")
        if f"<|{code}|>" not in known:
            raise unknown("language", language, [name.strip("<|>") for name in known])
        return code

    def __call__(self, samples: Samples) -> list[Cue]:
        """The cues of a mono waveform (S,) at `sample_rate`; longer than 30 s goes window by window."""
        import torch

        with torch.random.fork_rng():  # above temperature 0 tokens are drawn: of a file always the same
            torch.manual_seed(SEED)
            told = self._pipeline(
                {"raw": samples, "sampling_rate": self.sample_rate},
                return_timestamps=self._times,
                generate_kwargs=self._generate,
            )
        length = len(samples) / self.sample_rate
        cues = []
        for chunk in told["chunks"]:
            start, end = chunk["timestamp"]
            start = min(max(start or 0.0, 0.0), length)
            end = length if end is None else min(max(end, start), length)  # None: cut off by the end
            text = " ".join("".join(c if c.isprintable() else " " for c in chunk["text"]).split())
            if text:
                cues.append(Cue(start, end, text))
        return cues
