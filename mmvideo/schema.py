"""Strict, frozen pieces that configurations, manifest rows and records are made of; how errors are told."""

from __future__ import annotations

from typing import Annotated

import annotated_types as at
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Option = bool | int | float | str
Fraction = Annotated[float, at.Ge(0), at.Le(1)]
Positive = Annotated[int, at.Gt(0)]
Dropout = Annotated[float, at.Ge(0), at.Lt(1)]
"""A probability that leaves something."""
WeightsFile = Annotated[str, Field(json_schema_extra={"content": True})]
"""A file, a folder or a name of pretrained weights: where it is a file or folder, its content decides a run's
numbers, and its path does not."""
ModalityName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""What a manifest may call a modality: it names files, flags and parts of the model too."""
Finite = Annotated[float, AllowInfNan(False)]
"""A number that JSON can hold."""
PositiveFloat = Annotated[Finite, at.Gt(0)]
NotNegative = Annotated[Finite, at.Ge(0)]


class Part(BaseModel):
    """A strict, frozen piece of configuration. Unknown keys and wrong types are errors naming the field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_default=True)


def explain(error: ValidationError) -> str:
    """pydantic's findings, each with its field: `data.crop_size: …`; a value is quoted, a section is not."""
    lines = []
    for finding in error.errors(include_url=False):
        if finding["type"] == "default_factory_not_called":
            continue  # it follows from another finding
        where = ".".join(str(part) for part in finding["loc"]) or "configuration"
        message = finding["msg"].removeprefix("Value error, ")
        given = finding["input"]
        is_value = given is None or isinstance(given, Option)
        quoted = f" (got {given!r})" if finding["loc"] and is_value else ""
        lines.append(f"{where}: {message}{quoted}")
    return "; ".join(lines)
