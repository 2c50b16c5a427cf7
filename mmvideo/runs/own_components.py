"""Nothing trains with a component of one's own that breaks what its kind promises."""

from __future__ import annotations

from pathlib import Path

from mmvideo.config import RunConfig
from mmvideo.contract.check import check_own_component
from mmvideo.data.opened import make_modality
from mmvideo.runs.own_code import source_digest


def check_own_components(config: RunConfig, root: Path) -> None:
    """Hold the configuration's own fusion, objective and encoders to their contracts, once for each source.

    Args:
        root: folder of runs, in which it is remembered what has passed.

    Raises:
        InputError: one breaks a promise, cannot be imported, or can nowhere be built; or weights that an
            encoder's options name cannot be used, or do not fit how the modality is read.
    """
    for name, given in config.active.items():
        given.encoder.component.refuse_unusable(given.encoder.options)
        make_modality(name, given, config.data.frame_rate)
    encoders = (given.encoder for given in config.active.values())
    for choice in (config.fusion, config.objective, *encoders):
        if ":" in choice.name:
            source = source_digest(choice.name)
            check_own_component(choice, source=source, root=root)
