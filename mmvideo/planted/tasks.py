"""Planted tasks as exact distributions: what is hidden in each modality, and the label that follows from it.

A task is a list of worlds. A world has a probability, a label, and one symbol per modality: what that
modality shows, or `None` where it shows nothing. Everything that can be known about a task, such as the best
accuracy any model can reach from any subset of modalities, is a sum over this list (see `limits`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations, product

from mmvideo.errors import unknown

Symbol = int | None


@dataclass(frozen=True)
class World:
    """One combination of hidden factors."""

    probability: float
    label: int
    visual: Symbol
    audio: Symbol
    text: Symbol


@dataclass(frozen=True)
class Task:
    """A planted task. `visual`, `audio` and `text` name the renderer that turns a symbol into media."""

    name: str
    description: str
    classes: int
    visual: str
    audio: str
    text: str
    worlds: tuple[World, ...]


def _task(
    name: str,
    description: str,
    classes: int,
    worlds: Iterator[World],
    *,
    visual: str = "motion",
    audio: str = "chirp",
    text: str = "order",
) -> Task:
    """Merge equal worlds, so that each (label, symbols) stands once; check that probabilities add up."""
    mass: dict[tuple[int, Symbol, Symbol, Symbol], float] = defaultdict(float)
    for world in worlds:
        mass[world.label, world.visual, world.audio, world.text] += world.probability
    total = sum(mass.values())
    assert abs(total - 1) < 1e-9, (name, total)
    merged = tuple(World(p / total, *key) for key, p in mass.items() if p > 0)
    return Task(name, description, classes, visual, audio, text, merged)


def _unique(modality: str) -> Task:
    def worlds() -> Iterator[World]:
        for symbols in product(range(4), repeat=3):
            label = symbols[("visual", "audio", "text").index(modality)]
            yield World(1 / 64, label, *symbols)

    description = f"The label is what {modality} shows; the others show something unrelated."
    return _task(f"unique_{modality}", description, 4, worlds())


def _redundant(truth: float = 0.7) -> Task:
    """Each modality shows the label with probability `truth`, else one of the other three, independently."""

    def worlds() -> Iterator[World]:
        for label, *symbols in product(range(4), repeat=4):
            probability = 1 / 4
            for symbol in symbols:
                probability *= truth if symbol == label else (1 - truth) / 3
            yield World(probability, label, *symbols)

    description = "Every modality shows the label through a noisy channel; together they are less noisy."
    return _task("redundant", description, 4, worlds())


def _routed() -> Task:
    def worlds() -> Iterator[World]:
        for seen, heard, asked in product(range(4), range(4), range(2)):
            yield World(1 / 32, (seen, heard)[asked], seen, heard, asked)

    description = "The subtitle asks for what was seen or for what was heard; the label is that factor."
    return _task("routed", description, 4, worlds(), text="query")


def _mixed(agree: float = 0.3, asked_seen: float = 0.55, erased: float = 0.08) -> Task:
    """`routed` with redundancy and corrupted channels.

    With probability `agree` sight and sound show the same factor; the subtitle asks for sight with
    probability `asked_seen`; each modality independently shows nothing (noise, mumbling, or no track) with
    `erased`.
    """

    def worlds() -> Iterator[World]:
        for seen, heard, asked in product(range(4), range(4), range(2)):
            factor = 1 / 4 * ((1 - agree) / 4 + (agree if seen == heard else 0))
            factor *= (asked_seen, 1 - asked_seen)[asked]
            for lost in product((False, True), repeat=3):
                pairs = zip(lost, (seen, heard, asked), strict=True)
                shown = [None if gone else symbol for gone, symbol in pairs]
                probability = factor * erased ** sum(lost) * (1 - erased) ** (3 - sum(lost))
                yield World(probability, (seen, heard)[asked], *shown)

    description = "routed, where sight and sound agree more often than chance and any channel may be lost."
    return _task("mixed", description, 4, worlds(), text="query")


def _synergy() -> Task:
    def worlds() -> Iterator[World]:
        for symbols in product(range(2), repeat=3):
            yield World(1 / 8, sum(symbols) % 2, *symbols)

    description = "The label is the sum of three binary factors modulo 2: any two modalities tell nothing."
    return _task("synergy", description, 2, worlds())


FLASH_ORDERS: tuple[tuple[int, ...], ...] = tuple(permutations(range(4)))
"""Visual symbols of `sync`: `FLASH_ORDERS[symbol][slot]` is the object that flashes in that time slot."""


def _sync() -> Task:
    def worlds() -> Iterator[World]:
        for (symbol, order), slot, text in product(enumerate(FLASH_ORDERS), range(4), range(4)):
            yield World(1 / (24 * 4 * 4), order[slot], symbol, slot, text)

    description = "Four objects flash one after another; the label is the one that flashes with the beep."
    return _task("sync", description, 4, worlds(), visual="flashes", audio="beep")


TASKS: dict[str, Callable[[], Task]] = {
    "mixed": _mixed,
    "routed": _routed,
    "redundant": _redundant,
    "synergy": _synergy,
    "sync": _sync,
    "unique_visual": lambda: _unique("visual"),
    "unique_audio": lambda: _unique("audio"),
    "unique_text": lambda: _unique("text"),
}


def get_task(name: str) -> Task:
    """The named task.

    Raises:
        InputError: there is no such task; the message has the nearest name and the full list.
    """
    if name not in TASKS:
        raise unknown("planted task", name, TASKS)
    return TASKS[name]()
