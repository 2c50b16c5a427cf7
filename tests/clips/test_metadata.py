import pytest
from pydantic import ValidationError

from mmvideo.clips.metadata import check_fields, metadata_text
from mmvideo.errors import InputError
from mmvideo.modalities.text import Text

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
    with pytest.raises(InputError, match=r"^template "):
        metadata_text(TOLD, (), template)


def test_a_field_that_no_clip_has_is_refused():
    check_fields([{}, TOLD], ("tags",), None, "it")
    check_fields([{}, TOLD], (), "{title}", "it")
    with pytest.raises(InputError, match=r"here\.metadata_fields: .* titel\. The manifest has: tags, title"):
        check_fields([{}, TOLD], ("titel",), None, "here")
    with pytest.raises(InputError, match=r"here\.template: .* empty\. "):
        check_fields([TOLD], (), "{empty}", "here")


def test_metadata_is_read_in_one_way():
    with pytest.raises(ValidationError, match="metadata_fields or template, not both"):
        Text.Config(metadata_fields=("title",), template="{title}")
