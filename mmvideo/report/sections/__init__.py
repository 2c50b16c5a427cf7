"""The page's sections: each a module, and beside it the template of the same name.

A module has a `POSITION`, by which the page is sorted, and a function `content`: what the section's template
gets of a comparison, or None where it has nothing to say. To add a section is to add the two files.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvideo.report.charts.theme import Chart


@dataclass(frozen=True)
class Content:
    """What a section shows of a comparison."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """By the names its template calls them, beside those that every template has (see `page`)."""
    charts: Mapping[str, Chart] = field(default_factory=dict)
    """By the id that the template's `figure` gives them."""


def sections() -> dict[str, ModuleType]:
    """All of them by name, in the page's order."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return dict(sorted(modules.items(), key=lambda item: item[1].POSITION))
