"""Words with times → word-piece ids with times.

The tokenizer is trained on the training split only, or is a pretrained model's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.pretrained import load_pretrained
from mmvideo.store.subtitles import Word

if TYPE_CHECKING:
    from tokenizers import Tokenizer, models

PAD, UNKNOWN = "[PAD]", "[UNK]"
FILES = (
    *("tokenizer.json", "vocab.txt", "vocab.json"),
    *("tokenizer.model", "spiece.model", "spm.model", "sentencepiece.bpe.model"),
)
"""One of these holds a pretrained tokenizer. Without any, transformers makes one that knows no word."""


class WordPieces:
    """A tokenizer that keeps each piece's time. Id 0 stands for padding."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @classmethod
    def train(cls, texts: Iterable[Sequence[Word]], vocabulary_size: int) -> WordPieces:
        """Lower-case WordPiece (Wu et al., 2016, https://arxiv.org/abs/1609.08144), from the given texts."""
        from tokenizers import models, trainers

        lines = [" ".join(word.text for word in text) for text in texts]
        tokenizer = _tokenizer(models.WordPiece(unk_token=UNKNOWN))
        # Left to itself, the trainer numbers these in the order of a hash table: differently each time.
        inside = sorted(
            {f"##{letter}" for line in lines for word in _split(tokenizer, line) for letter in word[1:]}
        )
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocabulary_size, special_tokens=[PAD, UNKNOWN, *inside], show_progress=False
        )
        tokenizer.train_from_iterator(lines, trainer)
        return cls(_tokenizer(models.WordPiece(tokenizer.get_vocab(), unk_token=UNKNOWN)))

    @classmethod
    def pretrained(cls, name: str) -> WordPieces:
        """The tokenizer of a local folder or hub model.

        Raises:
            InputError: it cannot be loaded, or is not of the fast kind, which alone knows each piece's word.
        """
        from transformers import AutoTokenizer

        if Path(name).is_dir() and not any(Path(name, file).is_file() for file in FILES):
            raise InputError(
                f"model '{name}': its folder holds no tokenizer; of {', '.join(FILES)} it has none"
            )
        try:
            tokenizer = load_pretrained(AutoTokenizer.from_pretrained, name, use_fast=True)
        except InputError as error:
            raise InputError(f"model '{name}': its tokenizer cannot be loaded: {error}") from error
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise InputError(
                f"model '{name}': its tokenizer has no fast version, which is needed for token times"
            )
        backend.no_truncation()  # some files ask for it, and for padding that would be read as text
        backend.no_padding()
        return cls(backend)

    @classmethod
    def load(cls, path: Path) -> WordPieces:
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path) -> None:
        write_whole(path, self.tokenizer.to_str(pretty=True))

    @property
    def size(self) -> int:
        return self.tokenizer.get_vocab_size(with_added_tokens=True)

    def encode(self, words: Sequence[Word], longest: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids (N,) int64 and times (N,) float32 in seconds, the centre of each piece's word; N ≤ `longest`.

        Pieces that belong to no word (a pretrained model's [CLS]) take the time of the word next to them. No
        words: nothing, an absent text.
        """
        if not words:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        said = [word.text for word in words]
        encoded = self.tokenizer.encode(" ".join(said))
        centres = [(word.start + word.end) / 2 for word in words]
        special = np.array(encoded.special_tokens_mask, bool)
        of = np.where(special, -1, owners(encoded.offsets, said))
        outside, inside = np.flatnonzero(of < 0), np.flatnonzero(of >= 0)
        if len(inside) and len(outside):
            of[outside] = of[inside[np.abs(outside[:, None] - inside[None]).argmin(axis=1)]]
        times = np.array([centres[max(owner, 0)] for owner in of], np.float32)
        return np.array(encoded.ids, np.int64)[:longest], times[:longest]


def owners(offsets: Sequence[tuple[int, int]], words: Sequence[str], before: int = 0) -> NDArray[np.intp]:
    """Which of the words each piece of their text ends in; -1: what stands before them.

    Words are not tokenized one by one: many tokenizers tell the first of a text from those behind a space.

    Args:
        offsets: of the pieces, in characters of `" ".join(words)` with something before it.
        before: characters of that.
    """
    ends = before + np.cumsum([len(word) + 1 for word in words]) - 1
    last = np.array([max(first, end - 1) for first, end in offsets], np.intp)
    found = np.searchsorted(ends, last, side="right").clip(max=len(words) - 1)
    return np.where(last < before, -1, found)


def _tokenizer(model: models.WordPiece) -> Tokenizer:
    """The model behind BERT's lower-casing and its splitting into words."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _split(tokenizer: Tokenizer, line: str) -> list[str]:
    normal = tokenizer.normalizer.normalize_str(line)
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
