"""Which level of the hierarchy matters? Hierarchical fusion on every choice of its levels.

Protocol: stems, trunks and clip embeddings, each alone, in pairs and all three (seven arms), and each
modality alone; the same clips, encoders and budget.
Cost: 50 runs with five seeds and three modalities; 10 min for three seeds on planted `mixed` (2 CPU cores).
Result: on `mixed`, 3 seeds (LOG.md, results/planted-levels), every choice with clip embeddings has 93 to
94 %; without them at least two of three seeds stay 18 points or more below, so no verdict.
Command: mmvideo ablate experiments/hierarchical_levels.py -- --base planted
"""

from __future__ import annotations

from itertools import combinations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, study_of
from mmvideo.studies.study import Study

LEVELS = ("stem", "trunk", "clip")
CHOICES = tuple("+".join(chosen) for n in (1, 2, 3) for chosen in combinations(LEVELS, n))


def study(base: str = "planted", manifest: str | None = None, levels: tuple[str, ...] = CHOICES) -> Study:
    """The choices of levels.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        levels: What hierarchical fusion reads, such as `stem+clip`.
    """
    found = study_base(base, manifest, beside=__file__)
    fusions = {read: {"name": "hierarchical", "options": {"levels": read}} for read in levels}
    return study_of(
        found.config,
        Axis("fusion", fusions, name="levels"),
        name=f"{found.name}-levels",
        title=f"Levels of hierarchical fusion on {found.name}",
    )
