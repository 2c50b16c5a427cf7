"""What frozen encoders make of clips, computed ahead of training, by one process or by several."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from mmvideo.clips.manifest import Clip
from mmvideo.config import RunConfig, load_config
from mmvideo.data.opened import Opened, make_modality, open_data
from mmvideo.data.run_data import available_modalities
from mmvideo.encoders.ahead import Ahead, encode_missing, not_encoded, tell
from mmvideo.encoders.base import Encoder
from mmvideo.files import Unwritable
from mmvideo.modalities.base import Modality
from mmvideo.progress import tracked
from mmvideo.runs.assembly import make_fabric
from mmvideo.runs.encoding_worker import Answer, Job, encode
from mmvideo.store.encoded import EncodedClips
from mmvideo.workers import NoAnswer, Pool, of_threads


@dataclass(frozen=True)
class Cache:
    """An input of a configuration whose encoder is frozen, and its clips' tokens.

    `view`: in which of the changes of training they are shown; None: as they are.
    """

    config: RunConfig
    name: str
    view: int | None
    source: Opened
    ahead: Ahead
    encoded: EncodedClips

    @property
    def title(self) -> str:
        return self.name if self.view is None else f"{self.name}, view {self.view}"

    @cached_property
    def clips(self) -> dict[str, Clip]:
        return {clip.id: clip for clip in self.source.clips}

    def fill(self, names: Collection[str], workers: int) -> str | None:
        """Encode these clips, in so many processes at once, saying how far it is; what is wrong with those
        that cannot be encoded.

        Raises:
            Unwritable: the disk does not take a clip's tokens.
        """
        at_once = min(workers, len(names))
        outcomes = (
            self._by(at_once, names)
            if at_once > 1
            else encode_missing(self.ahead, self.encoded, self.source, names)
        )
        found = tracked(outcomes, len(names), f"Encoding {self.title}")
        failed = {name: reason for name, reason in found if reason}
        tell(self.name, self.ahead.notes)
        return not_encoded(self.title, failed) if failed else None

    def _by(self, workers: int, names: Collection[str]) -> Iterator[tuple[str, str | None]]:
        """Each clip as a worker has ended with it; one that ends its worker is such a clip's reason."""
        config = self.config.model_dump_json()
        threads = of_threads(self.config.runtime.threads)
        with Pool[Job, Answer | Unwritable](encode, workers=workers, environment=threads) as pool:
            for name in random.sample(list(names), len(names)):  # two commands seldom meet at a clip
                pool.give(Job(config, self.name, name, self.view))
            while pool.unfinished:
                for job, answer in pool.ended():
                    if isinstance(answer, Unwritable):
                        raise answer
                    if isinstance(answer, NoAnswer):
                        yield job.clip, answer.reason
                    elif answer.busy:
                        pool.give(job)
                    else:
                        for text, ids in answer.notes.items():
                            self.ahead.notes.setdefault(text, []).extend(ids)
                        yield job.clip, answer.reason


def caches(configs: Iterable[RunConfig]) -> Iterator[tuple[str, Cache | None]]:
    """Each input that the configurations read, once, with its cache; None: its encoder is not encoded ahead.

    Raises:
        InputError: anything wrong with the data.
    """
    seen = set()
    for config in configs:
        for name in available_modalities(config, progress=True):
            if (which := (name, config.inputs[name].model_dump_json(), config.data)) not in seen:
                seen.add(which)
                yield name, _cache(config, name, None)
                chosen = config.inputs[name].encoder
                for view in range(chosen.component.views_ahead(chosen.options)):
                    yield name, _cache(config, name, view)


def _cache(config: RunConfig, name: str, view: int | None) -> Cache | None:
    given, source = config.inputs[name], open_data(config)
    modality: Modality = make_modality(name, given, config.data.frame_rate)
    modality.open(source)
    if view is not None:
        modality = modality.changed(view)
    encoder: type[Encoder] = given.encoder.component
    ahead = encoder.encode_ahead(given.encoder.options, modality, make_fabric(config).device)
    if ahead is None:
        return None
    return Cache(config, name, view, source, ahead, ahead.place(modality, source))


@lru_cache(maxsize=1)
def held(config: str, name: str, view: int | None) -> Cache:
    """The cache of an input of a configuration, which is JSON; kept for the next clip of it."""
    cache = _cache(load_config(config, "the configuration"), name, view)
    assert cache is not None
    return cache
