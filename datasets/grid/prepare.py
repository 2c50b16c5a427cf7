"""GRID: 34 speakers say sentences such as "bin blue at f two now", with the time of every word.

mmvideo prepare grid --source ~/downloads/grid --out data/grid --task digit --check
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pysubs2

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.recipes import CarvedOptions, Known, Listing, Recipe, main
from mmvideo.recipes.tables import read_text

UNITS_PER_SECOND = 25_000
"""Of the times in .align files."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SLOTS = ("command", "colour", "preposition", "letter", "digit", "adverb")
CODES: dict[str, dict[str, str]] = {
    "command": {word[0]: word for word in ("bin", "lay", "place", "set")},
    "colour": {word[0]: word for word in ("blue", "green", "red", "white")},
    "preposition": {word[0]: word for word in ("at", "by", "in", "with")},
    "letter": {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    "digit": dict(zip("z123456789", DIGITS, strict=True)),
    "adverb": {word[0]: word for word in ("again", "now", "please", "soon")},
}
"""Slot → letter in the file's name → word. The letter w is never said."""
NAME = re.compile("".join(f"(?P<{slot}>[{''.join(codes)}])" for slot, codes in CODES.items()))
TEST_SPEAKERS = {"s1", "s2", "s20", "s22"}
SILENCE = {"sil", "sp"}


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    task: Literal["command", "colour", "preposition", "letter", "digit", "adverb"] = "digit"
    """Which word of the sentence is the label."""
    text: Literal["masked", "full", "none"] = "masked"
    """The subtitles written from the alignments, below the manifest's folder: without the word that is asked
    for, with it (text then holds the answer), or none."""


def listing(options: Options) -> Listing:
    """Every video below the source in a folder s1 to s34, or in s<N>/video/…; speakers are the groups.

    The test speakers are those that Assael et al. (LipNet, 2016, arXiv:1611.01599) call unseen: 1, 2, 20, 22.
    """
    videos = [path for suffix in ("mpg", "mp4") for path in sorted(options.source.rglob(f"*.{suffix}"))]
    aligned = {(_speaker(path), path.stem): path for path in sorted(options.source.rglob("*.align"))}
    clips, strange, untimed = [], [], []
    for video in videos:
        speaker, match = _speaker(video), NAME.fullmatch(video.stem)
        if speaker is None or match is None:
            strange.append(str(video.relative_to(options.source)))
            continue
        alignment = aligned.get((speaker, video.stem))
        name = f"{speaker}_{video.stem}"
        subtitles = None
        if alignment is None:
            untimed.append(name)
        elif options.text != "none":
            subtitles = str(_write_subtitles(alignment, name, match[options.task], options))
        clips.append(
            Clip(
                id=name,
                label=CODES[options.task][match[options.task]],
                group=speaker,
                split="test" if speaker in TEST_SPEAKERS else "train",
                video=str(video),
                subtitles=subtitles,
            )
        )
    return Listing(
        clips,
        notes={"videos are not called s<N>/<six letters>": strange, "videos have no .align file": untimed},
    )


def _speaker(path: Path) -> str | None:
    """The folder s1 to s34 that a file lies in, at whatever depth."""
    return next(
        (name for name in reversed(path.parts[:-1]) if re.fullmatch(r"s([1-9]|[12]\d|3[0-4])", name)), None
    )


def read_alignment(path: Path) -> list[tuple[float, float, str]]:
    """Start and end in seconds of each word of an .align file, pauses left out.

    Raises:
        InputError: a line is not `<start> <end> <word>`.
    """
    words = []
    for number, line in enumerate(read_text(path, "").splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 3 or not (cells[0].isdecimal() and cells[1].isdecimal()):
            raise InputError(f"{path}:{number}: expected '<start> <end> <word>', got '{line}'.")
        if cells[2] not in SILENCE:
            words.append((int(cells[0]) / UNITS_PER_SECOND, int(cells[1]) / UNITS_PER_SECOND, cells[2]))
    return words


def _write_subtitles(alignment: Path, name: str, code: str, options: Options) -> Path:
    """One cue a word. Masked: the word that is the answer is left out, by its place in the sentence."""
    words = read_alignment(alignment)
    if len(words) != len(SLOTS):
        raise InputError(f"{alignment} has {len(words)} words; a sentence of GRID has {len(SLOTS)}.")
    answer = SLOTS.index(options.task)
    if words[answer][2] != CODES[options.task][code]:
        raise InputError(
            f"{alignment}: word {answer + 1} is '{words[answer][2]}', but the file's name says "
            f"'{CODES[options.task][code]}'."
        )
    file = pysubs2.SSAFile()
    for place, (start, end, word) in enumerate(words):
        if options.text == "full" or place != answer:
            file.append(pysubs2.SSAEvent(start=round(1000 * start), end=round(1000 * end), text=word))
    folder = f"subtitles_{options.text}" + (f"_{options.task}" if options.text == "masked" else "")
    path = options.folder(RECIPE.name) / folder / f"{name}.srt"
    write_whole(path, file.to_string("srt").encode())
    return path


RECIPE = Recipe(
    name="grid",
    title="GRID",
    url="https://spandh.dcs.shef.ac.uk/gridcorpus/",
    licence="free for research use",
    citation=(
        "M. Cooke, J. Barker, S. Cunningham, X. Shao. An audio-visual corpus for speech perception and "
        "automatic speech recognition. J. Acoust. Soc. Am. 120(5), 2006."
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(classes=len(CODES[options.task])),
    defects=("speaker 21 has no videos", "with --text full the subtitles hold the answer"),
)

if __name__ == "__main__":
    main(RECIPE)
