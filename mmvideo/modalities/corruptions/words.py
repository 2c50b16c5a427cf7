"""Damage to timed words, as of a recogniser, a typist or a subtitle file that does not fit.

What is damaged at a lower severity is damaged at a higher one too: each word or character has one draw.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

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
