"""CMU-MOSEI in MMSA's layout: 22,856 utterances with sentiment, from -3 to 3.

mmvideo prepare cmu_mosei --source ~/downloads/MOSEI --features Processed/aligned_50.pkl --check
"""

from __future__ import annotations

from dataclasses import dataclass

from mmvideo.recipes import Listing, Recipe, main
from mmvideo.recipes.mmsa import MmsaOptions, mmsa_known, mmsa_listing
from mmvideo.vocabulary import Split

COUNTS: dict[Split, int] = {"train": 16326, "val": 1871, "test": 4659}


@dataclass(frozen=True, kw_only=True)
class Options(MmsaOptions):
    """Flags of the recipe."""


def listing(options: Options) -> Listing:
    """Every utterance, in the split that MMSA and the papers it compares use; a group is a video."""
    return mmsa_listing(options, options.folder(RECIPE.name))


RECIPE = Recipe(
    name="cmu_mosei",
    title="CMU-MOSEI",
    url="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
    licence="for research; not checked further",
    citation=(
        "A. Zadeh, P. P. Liang, S. Poria, E. Cambria, L.-P. Morency. Multimodal Language Analysis in the "
        "Wild: CMU-MOSEI Dataset and Interpretable Dynamic Fusion Graph. ACL 2018."
    ),
    options=Options,
    listing=listing,
    known=lambda options: mmsa_known(options, COUNTS),
    defects=(
        "some audio and visual features are infinite or NaN in files people pass around: see "
        "data.features.non_finite",
        "two-class accuracy is published with and without the utterances of score 0: say which",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
