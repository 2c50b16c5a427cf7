"""CMU-MOSI in MMSA's layout: 2,199 utterances of 93 videos, from -3 to 3.

mmvideo prepare cmu_mosi --source ~/downloads/MOSI --features Processed/aligned_50.pkl --check
"""

from __future__ import annotations

from dataclasses import dataclass

from mmvideo.recipes import Listing, Recipe, main
from mmvideo.recipes.mmsa import MmsaOptions, mmsa_known, mmsa_listing
from mmvideo.vocabulary import Split

COUNTS: dict[Split, int] = {"train": 1284, "val": 229, "test": 686}


@dataclass(frozen=True, kw_only=True)
class Options(MmsaOptions):
    """Flags of the recipe."""


def listing(options: Options) -> Listing:
    """Every utterance, in the split that MMSA and the papers it compares use; a group is a video."""
    return mmsa_listing(options, options.folder(RECIPE.name))


RECIPE = Recipe(
    name="cmu_mosi",
    title="CMU-MOSI",
    url="http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/",
    licence="for research; not checked further",
    citation=(
        "A. Zadeh, R. Zellers, E. Pincus, L.-P. Morency. MOSI: Multimodal Corpus of Sentiment Intensity and "
        "Subjectivity Analysis in Online Opinion Videos. 2016. arXiv:1606.06259"
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
