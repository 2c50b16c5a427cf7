"""Strict, frozen pieces that configurations, manifest rows and records are made of; how errors are told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, TypeVar

import annotated_types as at
from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, ValidationError

Option = bool | int | float | str
Fraction = Annotated[float, at.Ge(0), at.Le(1)]
Positive = Annotated[int, at.Gt(0)]
NotNegativeInt = Annotated[int, at.Ge(0)]
Dropout = Annotated[float, at.Ge(0), at.Lt(1)]
"""A probability that leaves something."""
WeightsFile = Annotated[str | None, Field(json_schema_extra={"mmvideo:content": True})]
"""A file, a folder or a name of pretrained weights: where it is a file or folder, its content decides a run's
numbers, and its path does not."""


def _modality_name(name: str) -> str:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,63}", name):
        raise ValueError(
            f"{name!r} cannot name a modality: that starts with a letter and goes on with letters, digits "
            "and '_', at most 64 in all (ASCII)"
        )
    return name


ModalityName = Annotated[str, AfterValidator(_modality_name)]
"""What a manifest may call a modality: it names files, flags and parts of the model too."""
WEIGHTS = (".safetensors", ".pt", ".pth")
"""How files of weights end."""
Finite = Annotated[float, AllowInfNan(False)]
"""A number that JSON can hold."""
PositiveFloat = Annotated[Finite, at.Gt(0)]
NotNegative = Annotated[Finite, at.Ge(0)]


class Part(BaseModel):
    """A strict, frozen piece of configuration. Unknown keys and wrong types are errors naming the field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_default=True)


P = TypeVar("P", bound=Part)
_BEFORE = "mmvideo:before"
_from_file: ContextVar[bool] = ContextVar("_from_file", default=False)


def added(default: Any, *, before: Any) -> Any:
    """A field that configurations did not always have. Finished runs stay finished where it changes nothing.

    A file without the field reads as `before`, and the field counts as deciding only where its value is
    another one. So a new field orphans no run, and a default that changes what a run does makes it a new one.

    Args:
        default: what a new configuration has.
        before: the value that does what was done before the field existed.
    """
    return Field(
        default_factory=lambda: before if _from_file.get() else default, json_schema_extra={_BEFORE: [before]}
    )


def read_part(kind: type[P], text: str) -> P:
    """A Part from a file's JSON; fields it has been given since then are what they were `before`.

    Raises:
        ValidationError: not JSON, an unknown key or a wrong type.
    """
    token = _from_file.set(True)
    try:
        return kind.model_validate_json(text)
    finally:
        _from_file.reset(token)


def decisive(part: Part) -> dict[str, Any]:
    """The Part as plain JSON values, without fields `added` later that change nothing."""
    values: dict[str, Any] = part.model_dump(mode="json")
    for name, field in type(part).model_fields.items():
        extra = field.json_schema_extra
        value = getattr(part, name)
        if isinstance(extra, dict) and _BEFORE in extra and [value] == extra[_BEFORE]:
            del values[name]
        else:
            values[name] = _decisive(value, values[name])
    return values


def _decisive(value: Any, plain: Any) -> Any:
    if isinstance(value, Part):
        return decisive(value)
    if isinstance(value, Mapping) and isinstance(plain, dict):
        return {key: _decisive(item, plain[key]) for key, item in value.items()}
    if isinstance(value, tuple | list) and isinstance(plain, list):
        return [_decisive(item, other) for item, other in zip(value, plain, strict=True)]
    return plain


def files_named(part: Part, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """By dotted key, the files that the Part and the Parts in it name, and the folders where these are
    marked as weights or typed as paths."""
    for key, named, declared in _named(part, prefix):
        if (declared and Path(named).exists()) or _is_file(named):
            yield key, Path(named)


def files_missing(part: Part, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """By dotted key, the files and folders of weights, and the paths, that are named and not there. A name
    that a hub or a library may know is none."""
    for key, named, declared in _named(part, prefix):
        path = isinstance(named, Path) or (declared and is_path(named))
        if path and not Path(named).exists():
            yield key, Path(named)


def is_path(name: str) -> bool:
    """Whether a name of weights can only be a place on this disk."""
    path = Path(name)
    beside = len(path.parts) > 1 and path.parent.is_dir()
    return beside or path.is_absolute() or name.startswith((".", "~")) or path.suffix in WEIGHTS


def _named(part: Part, prefix: str) -> Iterator[tuple[str, Any, bool]]:
    """By dotted key, every value that may name a file, and whether its field says that it does."""
    for name, field in type(part).model_fields.items():
        value, extra = getattr(part, name), field.json_schema_extra
        marked = isinstance(extra, dict) and "mmvideo:content" in extra
        for named in value if isinstance(value, tuple | list) else (value,):
            yield f"{prefix}{name}", named, isinstance(named, Path) or (marked and isinstance(named, str))
        parts = value if isinstance(value, Mapping) else {"": value}
        for key, inner in parts.items():
            if isinstance(inner, Part):
                yield from _named(inner, f"{prefix}{name}.{f'{key}.' if key else ''}")


def _is_file(named: object) -> bool:
    """Whether a text has a folder in it, as a mere word has not, and there is such a file."""
    return isinstance(named, str) and os.path.dirname(named) != "" and os.path.isfile(named)


def explain(error: ValidationError) -> str:
    """pydantic's findings, each with its field: `data.crop_size: …`; a value is quoted, a section is not."""
    lines = []
    for finding in error.errors(include_url=False):
        if finding["type"] == "default_factory_not_called":
            continue  # it follows from another finding
        where = ".".join(str(part) for part in finding["loc"] if part != "[key]") or "configuration"
        message = finding["msg"].removeprefix("Value error, ")
        given = finding["input"]
        is_value = given is None or isinstance(given, Option)
        quoted = f" (got {given!r})" if finding["loc"] and is_value else ""
        lines.append(f"{where}: {message}{quoted}")
    return "; ".join(lines)
