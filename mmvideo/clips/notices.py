"""What is to be known of a data set before anything is trained on it, beside what the audit refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import Clip, natural_key, shown
from mmvideo.errors import InputError
from mmvideo.vocabulary import SPLITS, Split, counted

MOSTLY = 0.5
"""Share of a split's clips above which blank ones are told."""
ASSOCIATED = 0.01
"""p below which blankness and class are said to go together."""
FEW_GROUPS = 6
"""Groups of test clips below which a difference that all of them share may still be chance (sign test)."""
_ALONE: dict[Split, str] = {
    "train": "it is all there is to learn from",
    "val": "the checkpoint is chosen on it alone",
    "test": "no interval can be given and no arms compared",
}


def split_notices(clips: Sequence[Clip]) -> list[str]:
    """What splits are too small or too narrow to tell: of one clip, one group, one class; and classes that
    may be one, written in two ways."""
    found = _alike(clips)
    of = {split: [clip for clip in clips if clip.split == split] for split in SPLITS}
    for split, members in of.items():
        if len(members) == 1:
            found.append(f"The {split} split has one clip: {_ALONE[split]}.")
    test = of["test"]
    if len(test) > 1 and len({clip.group for clip in test}) == 1:
        found.append(
            f"All {counted(len(test), 'test clip')} are of one group ({test[0].group}): intervals are over "
            "clips, and tell nothing of what another group would give."
        )
    found += _few_groups(test)
    trained, tested = (
        {name for clip in of[split] for name in classes_of(clip.label)} for split in ("train", "test")
    )
    lacking = sorted(trained - tested, key=natural_key)
    if tested and lacking:
        found.append(
            f"{counted(len(lacking), 'class', 'classes')} of {len(trained)} in train "
            f"{'has' if len(lacking) == 1 else 'have'} no test clip: {shown(lacking)}."
        )
    return found


def _few_groups(test: Sequence[Clip]) -> list[str]:
    """Where intervals over groups of test clips will leave nearly everything open."""
    groups = len({clip.group for clip in test})
    if not 1 < groups < FEW_GROUPS:
        return []
    perfect = (
        ""
        if isinstance(test[0].label, float)
        else (
            f", and even of a model that is right on every clip begin at {100 * 0.025 ** (1 / groups):.0f} %"
        )
    )
    return [
        f"The {counted(len(test), 'test clip')} are of {groups} groups: 95 % intervals over so few are wide"
        f"{perfect}. Test on at least {FEW_GROUPS}, better on some dozens."
    ]


def _alike(clips: Sequence[Clip]) -> list[str]:
    """Where there is one class, and classes whose names differ in capitals alone."""
    names = sorted({name for clip in clips for name in classes_of(clip.label)}, key=natural_key)
    if len(names) == 1 and len(clips) > 1 and all(isinstance(clip.label, str) for clip in clips):
        return [f"All {len(clips):,} clips are of one class, '{names[0]}': there is nothing to tell apart."]
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(name.casefold(), []).append(f"'{name}'")
    pairs = [" and ".join(same) for same in spelt.values() if len(same) > 1]
    if not pairs:
        return []
    return [f"Classes differ in capitals alone: {shown(pairs)}. If each is one class, write it one way."]


def absence_notices(clips: Sequence[Clip], present: Mapping[str, Collection[str]]) -> list[str]:
    """Which modalities whole classes lack in training that other classes have.

    Args:
        present: by modality, ids of the clips that have it.
    """
    found = []
    of: dict[str, list[str]] = {}
    for clip in clips:
        if clip.split == "train" and isinstance(clip.label, str):
            of.setdefault(clip.label, []).append(clip.id)
    for name, ids in present.items():
        lacking = sorted((at for at in of if not any(one in ids for one in of[at])), key=natural_key)
        if 0 < len(lacking) < len(of):
            found.append(
                f"No training clip of {counted(len(lacking), 'class', 'classes')} of {len(of)} has {name}: "
                f"{shown(lacking)}. Whether it is there tells them apart, without a look at what it holds."
            )
    return found


def presence_notices(clips: Sequence[Clip], present: Mapping[str, Collection[str]]) -> list[str]:
    """Where a split has nothing of a modality that training clips have, and clips that have none at all.

    Args:
        present: by modality, ids of the clips that have it.

    Raises:
        InputError: no clip of a split has any modality, so that all of them look alike.
    """
    found = []
    anything = frozenset().union(*present.values())
    for split in SPLITS:
        members = {clip.id for clip in clips if clip.split == split}
        empty = members - anything
        if not members:
            raise InputError(f"No clip of the {split} split could be decoded, so no result can come.")
        if empty == members:
            raise InputError(
                f"None of the {counted(len(members), 'readable clip')} of the {split} split has any of "
                f"{', '.join(present)}, so there is nothing to tell them apart by. Name their files in the "
                "manifest, or give other clips."
            )
        if empty:
            found.append(
                f"{counted(len(empty), f'{split} clip')} of {len(members)} "
                f"{'has' if len(empty) == 1 else 'have'} none of {', '.join(present)}: "
                f"{shown(sorted(empty, key=natural_key))}."
            )
    trained = {clip.id for clip in clips if clip.split == "train"}
    for name, ids in present.items():
        for split in SPLITS[1:]:
            if trained & set(ids) and not any(clip.id in ids for clip in clips if clip.split == split):
                found.append(f"No {split} clip has {name}, which training clips have.")
    return found


def unread_notices(clips: Sequence[Clip], present: Mapping[str, Collection[str]]) -> list[str]:
    """What the manifest names and no input of a configuration reads: features, and metadata of clips without
    other text.

    Args:
        present: by input, ids of the clips that have it.
    """
    found = []
    having = Counter(name for clip in clips for name in clip.features if name not in present)
    for name, number in having.items():
        found.append(
            f"{counted(number, 'clip names', 'clips name')} features of {name}, which no input reads. "
            f"A base called with +{name} reads them too, as `--base folder+{name}`."
        )
    fields = sorted({name for clip in clips for name in clip.metadata})
    if fields and "text" in present and not present["text"]:
        found.append(
            f"Clips have metadata ({shown(fields)}) and no other text, and no input reads them. To have them "
            f"read: --set 'inputs.text.options.metadata_fields=[\"{fields[0]}\"]'."
        )
    return found


def untrained_notices(clips: Sequence[Clip], present: Mapping[str, Collection[str]]) -> list[str]:
    """Which of a run's modalities no training clip has.

    Args:
        present: by modality, ids of the clips that have it.
    """
    found = []
    for name, ids in present.items():
        if not any(clip.split == "train" and clip.id in ids for clip in clips):
            others = sum(clip.id in ids for clip in clips)
            elsewhere = f" It is in {counted(others, 'clip')} of val and test." if others else ""
            found.append(f"No training clip has {name}: nothing is learned of it.{elsewhere}")
    return found


def blank_notices(
    clips: Sequence[Clip],
    present: Mapping[str, Collection[str]],
    blank: Mapping[str, Collection[str]],
    words: Mapping[str, str],
) -> list[str]:
    """Which modalities are mostly there in name only, and where that goes with the class.

    Args:
        present: by modality, ids of the clips that have it.
        blank: by modality, ids of those in which it holds nothing.
        words: by modality, what that is called, such as `digital silence`.
    """
    found = []
    for name, ids in blank.items():
        counts = {
            split: (
                sum(clip.split == split and clip.id in ids for clip in clips),
                sum(clip.split == split and clip.id in present[name] for clip in clips),
            )
            for split in SPLITS
        }
        if any(some > MOSTLY * all_ for some, all_ in counts.values()):
            some, all_ = (sum(column) for column in zip(*counts.values(), strict=True))
            by_split = ", ".join(f"{split} {some:,} of {all_:,}" for split, (some, all_) in counts.items())
            found.append(
                f"{name} is {words[name]} in {some:,} of the {counted(all_, 'clip')} that "
                f"{'has' if all_ == 1 else 'have'} it ({by_split}): there it counts as present, and tells "
                "nothing."
            )
        found += _by_class(clips, name, present[name], ids, words[name])
    return found


def _by_class(
    clips: Sequence[Clip], name: str, present: Collection[str], blank: Collection[str], word: str
) -> list[str]:
    """Whether a training clip's class goes with its being blank: a model can then learn that instead."""
    having = [clip for clip in clips if clip.split == "train" and clip.id in present]
    total = Counter(clip.label for clip in having if isinstance(clip.label, str))
    empty = Counter(clip.label for clip in having if isinstance(clip.label, str) and clip.id in blank)
    if len(total) < 2 or not 0 < empty.total() < total.total():
        return []
    from scipy.stats import chi2_contingency

    p = chi2_contingency(np.array([[empty[label], total[label] - empty[label]] for label in total])).pvalue
    if p >= ASSOCIATED:
        return []
    by_share = sorted(total, key=lambda label: (empty[label] / total[label], natural_key(label)))
    least, most = (f"{empty[at]:,} of {total[at]:,} of '{at}'" for at in (by_share[0], by_share[-1]))
    return [
        f"Whether {name} is {word} goes with the class in training (chi-square test, "
        f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}): from {least} to {most}. What a model gains from "
        f"{name} may be this alone."
    ]
