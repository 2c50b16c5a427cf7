import pytest
from pydantic import ValidationError

from mmvideo.clips.metadata import check_fields, metadata_text
from mmvideo.config import DataConfig
from mmvideo.errors import InputError

TOLD = {"title": "Big fox", "tags": "zoo, night", "empty": ""}


@pytest.mark.parametrize(
    ("fields", "template", "text"),
    [
        ((), None, ""),
        (("tags", "title", "none", "empty"), None, "zoo, night Big fox"),
        ((), "{title}. {tags}", "Big fox. zoo, night"),
        ((), "Tags: {tags} ({none})", "Tags: zoo, night ()"),
        ((), "{none} and {empty}", ""),
        ((), "{{braces}} {title}", "{braces} Big fox"),
    ],
)
def test_fields_and_templates(fields, template, text):
    assert metadata_text(TOLD, fields, template) == text


@pytest.mark.parametrize(
    "template", ["{title", "{0}", "{}", "{title.upper}", "{title[0]}", "{title!r}", "{title:>9}"]
)
def test_a_template_holds_plain_names_only(template):
    with pytest.raises(InputError, match="text_template"):
        metadata_text(TOLD, (), template)


def test_a_field_that_no_clip_has_is_refused():
    check_fields([{}, TOLD], ("tags",), None)
    check_fields([{}, TOLD], (), "{title}")
    with pytest.raises(InputError, match=r"data\.metadata_fields: .* titel\. The manifest has: tags, title"):
        check_fields([{}, TOLD], ("titel",), None)
    with pytest.raises(InputError, match=r"data\.text_template: .* empty\. "):
        check_fields([TOLD], (), "{empty}")


def test_metadata_is_read_in_one_way():
    with pytest.raises(ValidationError, match="metadata_fields or text_template, not both"):
        DataConfig(metadata_fields=("title",), text_template="{title}")
