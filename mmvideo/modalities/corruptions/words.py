"""Damage to timed words, as of a recogniser, a typist or a subtitle file that does not fit.

What is damaged at a lower severity is damaged at a higher one too: each word or character has one draw.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmvideo.clips.manifest import Clip
from mmvideo.modalities.corruptions import Corruption, Damage
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.subtitles import Word

UNKNOWN = "[unk]"
"""What stands for a word that was not understood."""
EDITS = ("insert", "delete", "substitute", "swap")
"""The edits of a character of MM-Robustness (Qiu et al. 2022, https://arxiv.org/abs/2212.08044)."""


def characters(words: Sequence[Word], level: float, draw: np.random.Generator) -> list[Word]:
    """Each character is edited with a chance of `level`: another inserted after it, deleted, replaced, or
    swapped with the next. A word keeps at least one."""
    return [replace(word, text=_edited(word.text, level, draw)) for word in words]


def _edited(text: str, level: float, draw: np.random.Generator) -> str:
    chances, edits = draw.random(len(text)), draw.integers(len(EDITS), size=len(text))
    others = draw.integers(len(string.ascii_lowercase), size=len(text))
    found, place = "", 0
    while place < len(text):
        own, following = text[place], text[place + 1 : place + 2]
        other = string.ascii_lowercase[others[place]]
        step = 1
        if chances[place] < level:
            edit = EDITS[edits[place]]
            if edit == "swap" and following:
                own, step = following + own, 2
            else:
                own = {"insert": own + other, "delete": ""}.get(edit, other)
        found, place = found + own, place + step
    return found or text[:1]


def word_deletion(words: Sequence[Word], level: float, draw: np.random.Generator) -> list[Word]:
    """Each word is left out with a chance of `level`; one stays."""
    chances = draw.random(len(words))
    kept = chances >= level
    if len(words):
        kept[chances.argmax()] = True
    return [word for word, keep in zip(words, kept, strict=True) if keep]


def word_masking(words: Sequence[Word], level: float, draw: np.random.Generator) -> list[Word]:
    """In the place of each word stands `[unk]` with a chance of `level`."""
    lost = draw.random(len(words)) < level
    return [replace(word, text=UNKNOWN) if gone else word for word, gone in zip(words, lost, strict=True)]


def word_shuffle(words: Sequence[Word], level: float, draw: np.random.Generator) -> list[Word]:
    """Words change places at random among a share `level` of them; times stay."""
    chances, order = draw.random((2, len(words)))
    moved = np.flatnonzero(chances < level)
    texts = [word.text for word in words]
    for place, other in zip(moved.tolist(), moved[order[moved].argsort()].tolist(), strict=True):
        texts[place] = words[other].text
    return [replace(word, text=text) for word, text in zip(words, texts, strict=True)]


def time_shift(words: Sequence[Word], level: float, draw: np.random.Generator) -> list[Word]:
    """All words come `level` seconds too early or too late, of which a clip is drawn one."""
    shift = level if draw.random() < 0.5 else -level
    return [replace(word, start=word.start + shift, end=word.end + shift) for word in words]


CORRUPTIONS: dict[str, Corruption] = {
    "characters": Corruption(characters, (0.05, 0.1, 0.2, 0.35, 0.5), "of the characters"),
    "word_deletion": Corruption(word_deletion, (0.1, 0.2, 0.4, 0.6, 0.8), "of the words"),
    "word_masking": Corruption(word_masking, (0.1, 0.2, 0.4, 0.6, 0.8), "of the words"),
    "word_shuffle": Corruption(word_shuffle, (0.2, 0.4, 0.6, 0.8, 1.0), "of the words"),
    "time_shift": Corruption(time_shift, (0.1, 0.2, 0.4, 0.8, 1.6), "s"),
}


def damaged_words(damage: Damage, clip: Clip, stored: OpenClip) -> tuple[Clip, OpenClip]:
    """The clip with its subtitles and its metadata damaged."""

    def told(field: str, text: str) -> str:
        given = [Word(word, 0.0, 0.0) for word in text.split()]
        return " ".join(word.text for word in damage.apply(clip, given, part=field)) if given else text

    metadata = {field: told(field, text) for field, text in clip.metadata.items()}
    spoken = tuple(damage.apply(clip, stored.clip.words))
    return clip.model_copy(update={"metadata": metadata}), replace(
        stored, clip=replace(stored.clip, words=spoken)
    )
