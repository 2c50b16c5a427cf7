"""What a clip's metadata (title, tags …) says as text."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from mmvideo.errors import InputError


def metadata_text(metadata: Mapping[str, str], fields: Sequence[str], template: str | None) -> str:
    """The named fields one after another, or the template with the clip's own values put in.

    A field that the clip lacks is left empty; a clip that has none of the template's fields has no text.
    """
    if template is None:
        return " ".join(metadata[name] for name in fields if metadata.get(name))
    names = template_fields(template)
    if not any(metadata.get(name) for name in names):
        return ""
    return template.format_map({name: metadata.get(name, "") for name in names})


def check_fields(
    rows: Sequence[Mapping[str, str]], fields: Sequence[str], template: str | None, where: str
) -> None:
    """Raises InputError if a field that is asked for stands in no clip's metadata.

    Args:
        where: the section of the configuration that asks.
    """
    asked = fields if template is None else template_fields(template)
    known = sorted({name for row in rows for name, value in row.items() if value})
    strange = [name for name in asked if name not in known]
    if strange:
        listed = ", ".join(known) or "none at all"
        option = "metadata_fields" if template is None else "template"
        raise InputError(
            f"{where}.{option}: no clip has the metadata {', '.join(strange)}. The manifest has: {listed}."
        )


def template_fields(template: str) -> tuple[str, ...]:
    """The names in braces, in order.

    Raises:
        InputError: the braces do not match, or hold something other than a plain name.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"template '{template}': {error}. Write names in braces.") from error
    names = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise InputError(
                f"template '{template}': braces hold the name of a metadata field and nothing "
                "else, as in '{title}. {tags}'"
            )
        names.append(name)
    return tuple(names)
