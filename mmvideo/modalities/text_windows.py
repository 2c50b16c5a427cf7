"""A clip's words as a pretrained model of text reads them: windows of word pieces, no longer than its own.

Each window stands for itself: it begins and ends with the model's special pieces, and with the prompt, if
there is one. A text that is longer than a window becomes several of about the same length; nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mmvideo.errors import InputError
from mmvideo.modalities.tokenizer import WordPieces, owners
from mmvideo.store.subtitles import Word

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Unit = Literal["words", "sentence", "clip"]
TEXT, PROMPT, SPECIAL = 0, 1, 2
"""What a piece in a window is of."""
PAUSE = 1.0
"""Seconds without a word that end a sentence."""
_LAST_OF_SENTENCE = re.compile(r"[.!?…。！？]['\"”’»)\]]*$")


@dataclass(frozen=True)
class TextFormat:
    """How a checkpoint was trained to be given a text."""

    model: str
    """Folder or hub name of its tokenizer."""
    longest: int
    """Word pieces of a window, special ones and prompt included."""
    prompt: str = ""
    """What stands before every text."""
    lower: bool = False
    """Texts are made lower-case first."""


@dataclass(frozen=True)
class TextWindows:
    """What an encoder of whole texts has to be given: windows of word pieces."""

    model: str | None
    unit: Unit
    """What a window is cut from: all words (`words`, `clip`), or each sentence."""
    format_of: Callable[[], TextFormat]
    """Reads it off the model's files, when clips are read: a configuration can be read without them."""
    unchanging: bool = False
    """The same words whenever they are asked for, since what was made of them is kept."""

    @cached_property  # it is asked for with every sample
    def longest(self) -> int:
        return self.format_of().longest

    def tokenizer(self) -> WindowedPieces:
        given = self.format_of()
        return WindowedPieces(WordPieces.pretrained(given.model).tokenizer, given, self.unit)


class WindowedPieces(WordPieces):
    """A pretrained model's tokenizer, which gives windows."""

    def __init__(self, tokenizer: Tokenizer, given: TextFormat, unit: Unit) -> None:
        super().__init__(tokenizer)
        self.given, self.unit = given, unit
        alone = tokenizer.encode("a")
        inside = [place for place, special in enumerate(alone.special_tokens_mask) if not special]
        first, last = (inside[0], inside[-1] + 1) if inside else (len(alone.ids), len(alone.ids))
        self.before, self.after = alone.ids[:first], alone.ids[last:]

    def encode(self, words: Sequence[Word], longest: int) -> tuple[np.ndarray, np.ndarray]:
        """Pieces (N, 3) int64 and times (N,) float32 in seconds. No words: nothing, an absent text.

        A piece is its id, the number of its window, and whether it is of the text, the prompt or special.
        With the unit `words`, its time is the centre of its word; else that of what its window covers.
        """
        windows = [window for text in self.texts(words) for window in self._windows(text, longest)]
        numbered = [
            np.column_stack([ids, np.full(len(ids), number), roles])
            for number, (ids, roles, _) in enumerate(windows)
        ]
        return (
            np.concatenate([np.zeros((0, 3), np.int64), *numbered]),
            np.concatenate([np.zeros(0, np.float32), *(times for *_, times in windows)]),
        )

    def texts(self, words: Sequence[Word]) -> list[list[Word]]:
        """The words of each text. Metadata, which is shown throughout, is one of its own."""
        texts: list[list[Word]] = []
        for last, word in zip([None, *words], words, strict=False):
            if last is None or _shown_over(last, word) or (self.unit == "sentence" and _ends(last, word)):
                texts.append([])
            texts[-1].append(word)
        return texts

    def _windows(
        self, words: list[Word], longest: int
    ) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        """Of one text: ids, roles and times of each of its windows."""
        said = [word.text.lower() if self.given.lower else word.text for word in words]
        prompt = self.given.prompt.lower() if self.given.lower else self.given.prompt
        encoded = self.tokenizer.encode(prompt + " ".join(said), add_special_tokens=False)
        of = owners(encoded.offsets, said, len(prompt))
        asked = [id for id, owner in zip(encoded.ids, of, strict=True) if owner < 0]
        room = longest - len(self.before) - len(asked) - len(self.after)
        if room < 1:
            raise InputError(
                f"model '{self.given.model}': the prompt {prompt!r} has {len(asked)} word pieces, and a "
                f"window of {longest} leaves no room for text; shorten `instruction`, or widen `window`"
            )
        pieces = [(id, owner) for id, owner in zip(encoded.ids, of, strict=True) if owner >= 0]
        lead, tail = len(self.before), len(self.after)
        roles = [SPECIAL] * lead + [PROMPT] * len(asked)
        for part in np.array_split(np.arange(len(pieces)), -(-len(pieces) // room) or 1):
            if not len(part):
                continue
            own = [words[pieces[place][1]] for place in part]
            ids = [*self.before, *asked, *(pieces[place][0] for place in part), *self.after]
            times = self._times(own, len(roles), tail)
            yield np.array(ids), np.array(roles + [TEXT] * len(own) + [SPECIAL] * tail), times

    def _times(self, own: list[Word], before: int, after: int) -> NDArray[np.float32]:
        if self.unit == "words":
            centres = [(word.start + word.end) / 2 for word in own]
        else:
            centres = [(own[0].start + own[-1].end) / 2] * len(own)
        return np.array([centres[0]] * before + centres + [centres[-1]] * after, np.float32)


def _shown_over(last: Word, word: Word) -> bool:
    """Whether a word is said while another, which is read before it, is still shown."""
    together = last.start <= (word.start + word.end) / 2 < last.end
    return together and (last.start, last.end) != (word.start, word.end)


def _ends(last: Word, word: Word) -> bool:
    return bool(_LAST_OF_SENTENCE.search(last.text)) or word.start - last.end >= PAUSE
