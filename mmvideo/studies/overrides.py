"""`--set train.epochs=40`: any field of a study's configurations, for all its arms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError, unknown
from mmvideo.schema import Part, explain
from mmvideo.studies.study import Study

_INSTEAD = {"seed": "--seeds", "study": "--name", "arm": "the study's own arms"}


def overridden(study: Study, assignments: Sequence[str]) -> Study:
    """The study with `field=value` set in every arm. Values are JSON, or else text.

    Raises:
        InputError: no assignment, an unknown field (with the nearest match), a value that the field does not
            take, or a field on an axis in which the arms differ.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        field, given, text = assignment.partition("=")
        if not (field and given):
            raise InputError(f"--set takes field=value, such as train.epochs=40; got '{assignment}'")
        if field in _INSTEAD:
            raise InputError(f"--set {field}: use {_INSTEAD[field]} instead")
        _refuse_compared(study, field)
        values[field] = _value(text)
    told = f"with --set {' '.join(values)}"
    arms = (
        replace(arm, config=with_fields(arm.config, values, f"arm '{arm.name}' {told}")) for arm in study.arms
    )
    return replace(study, arms=tuple(arms)) if values else study


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _refuse_compared(study: Study, field: str) -> None:
    """
    Raises:
        InputError: the field is, or holds, what the arms are compared in.
    """
    values = {arm.name: json.dumps(_at(arm.config, field)) for arm in study.arms}
    on_axis = any(_within(field, axis) or _within(axis, field) for axis in study.axes)
    if on_axis and len(set(values.values())) > 1:
        first, second = list(dict.fromkeys(values.values()))[:2]
        raise InputError(
            f"--set {field}: this is what the arms of '{study.name}' differ in ({first}, {second}, …). "
            "Set a field that they share, or choose other arms by the study's own options, behind `--`."
        )


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _at(config: RunConfig, field: str) -> Any:
    value: Any = config.model_dump(mode="json")
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def with_fields(config: RunConfig, values: Mapping[str, Any], told: str) -> RunConfig:
    """The configuration with fields, or whole sections, set: dotted names → values as they stand in JSON.

    A section is set before fields in it, in whatever order they are given, so that each has its say.

    Args:
        told: what is being made, for messages.

    Raises:
        InputError: an unknown field (with the nearest match), or a value that it does not take.
    """
    record = config.model_dump(mode="json")
    for field, value in sorted(values.items(), key=lambda given: given[0].count(".")):
        *path, last = field.split(".")
        section: Any = record
        for depth, key in enumerate(path):
            if not isinstance(section, dict) or key not in section:
                raise _unknown(field, record, section, path[:depth])
            section = section[key]
        if not isinstance(section, dict) or (last not in section and not _open_ended(config, path)):
            raise _unknown(field, record, section, path)
        section[last] = _component(_in_json(value, f"{told}: {field}"), section.get(last))
    try:  # not as a file is read: options of a component that is named anew are today's defaults
        return RunConfig.model_validate_json(json.dumps(record))
    except ValidationError as error:
        raise InputError(f"{told} is not a valid run configuration: {explain(error)}.") from error


def _in_json(value: Any, told: str) -> Any:
    """
    Raises:
        InputError: a value that JSON has not, such as a set or a class.
    """
    try:
        return json.loads(json.dumps(value, default=_as_json))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{told} takes text, numbers, lists and tables of these: {error}.") from error


def _component(value: Any, there: Any) -> Any:
    """A component by its name alone as one with its options, which other fields may then set. The one that is
    there already keeps those that it has."""
    if not isinstance(there, dict) or there.keys() != {"name", "options"}:
        return value
    if isinstance(value, str):
        return there if value == there["name"] else {"name": value, "options": {}}
    return {"options": {}, **value} if isinstance(value, dict) and "name" in value else value


def _as_json(value: Any) -> Any:
    if isinstance(value, Part):
        return value.model_dump(mode="json")
    raise TypeError(f"{value!r} cannot stand in a configuration")


def _open_ended(config: RunConfig, path: Sequence[str]) -> bool:
    """Whether a section takes names that it does not list: a component's options, what is given by
    modality."""
    if path[-1:] == ["options"]:
        return True  # the component's class knows which it takes
    section: Any = config
    for key in path:
        section = section.get(key) if isinstance(section, Mapping) else getattr(section, key, None)
    return isinstance(section, Mapping) and list(path) != ["inputs"]


def _unknown(field: str, record: Mapping[str, Any], section: Any, path: Sequence[str]) -> InputError:
    """The error for a field that is not there: with what its section has, if there is such a section."""
    known = flatten(dict(record))
    if path and isinstance(section, dict):
        known = {".".join([*path, name]): None for name in section}
    return unknown("field", field, known)
