"""Modalities of one's own names, from feature files: as a run is given them, and where files are at fault."""

import numpy as np
import pytest

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, Manifest, read_manifest, write_manifest
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.inspection.opened import inputs_of, open_to_inspect
from mmvideo.inspection.overview import survey_manifest
from mmvideo.inspection.picture import draw
from mmvideo.inspection.views import view_examples
from mmvideo.vocabulary import SPLITS

NAMES = ("one", "two", "three", "four", "five", "six")


@pytest.fixture
def path(tmp_path):
    """Six clips: all but one have `flow`, 20 vectors of 4 at 10 a second; three have `mrna`, one of 7."""
    draw = np.random.default_rng(0)
    rows = []
    for number, name in enumerate(NAMES):
        features = {"flow": f"{name}-flow.npy"} if name != "four" else {}
        np.save(tmp_path / f"{name}-flow.npy", draw.normal(size=(20, 4)).astype(np.float32))
        if number % 2:
            np.save(tmp_path / f"{name}-mrna.npy", draw.normal(size=7).astype(np.float32))
            features["mrna"] = f"{name}-mrna.npy"
        rates = {"flow": 10.0} if "flow" in features else {}
        split = ("train", "train", "train", "train", "val", "test")[number]
        rows.append(
            Clip(
                id=name,
                label="ab"[number // 2 % 2],
                group=name,
                split=split,
                features=features,
                features_rate=rates,
            )
        )
    write_manifest(tmp_path / "m.jsonl", rows)
    return tmp_path / "m.jsonl"


def configured(path, manifest: Manifest | None = None) -> RunConfig:
    data = DataConfig(manifest=str(path), store=str(path.parent / "store"), max_seconds=1.0)
    return RunConfig(inputs=inputs_of(manifest or read_manifest(path)), data=data)


def inspect(path, tmp_path):
    return open_to_inspect(read_manifest(path), configured(path), tmp_path / "store")


def test_features_are_shown_exactly_as_a_run_is_given_them(path, tmp_path):
    inspected = inspect(path, tmp_path)
    assert inspected.findings == ()
    views = {view.id: view for view in view_examples(inspected, 9)}
    data = RunData.open(configured(path))
    datasets = [data.dataset(split) for split in SPLITS]
    given = {dataset[i].id: dataset[i] for dataset in datasets for i in range(len(dataset))}
    assert set(views) == set(given) == set(NAMES)
    for name, view in views.items():
        assert [m.name for m in view.modalities] == list(given[name].inputs) == ["flow", "mrna"]
        for modality in view.modalities:
            values, times = given[name].inputs[modality.name]
            np.testing.assert_array_equal(modality.values, values.numpy())
            np.testing.assert_array_equal(modality.times, times.numpy())
    two = views["two"]
    assert (two.seconds, two.absent) == (2.0, ())
    assert [m.values.shape for m in two.modalities] == [(10, 4), (1, 7)]  # the middle second of two
    assert views["one"].absent == ("mrna",)
    assert views["four"].absent == ("flow",)


def test_their_presence_and_lengths_are_counted(path, tmp_path):
    overview = survey_manifest(inspect(path, tmp_path))
    assert overview.modalities == ("flow", "mrna")
    assert overview.presence["flow+mrna"] == {"train": 1, "val": 0, "test": 1}
    assert overview.presence["flow"] == {"train": 2, "val": 1, "test": 0}
    assert overview.presence["mrna"] == {"train": 1, "val": 0, "test": 0}
    assert overview.presence_by_class["b"] == {"flow": 1, "mrna": 1}
    assert overview.durations["train"] == (2.0, 2.0, 2.0, 2.0)
    assert overview.total_seconds == 10.0
    assert overview.findings == ()


def page_of(path) -> str:
    out = path.parent / "page.html"
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(path), "--store", str(path.parent / "store"), "--out", str(out)])
    assert ended.value.code == 0
    return out.read_text()


def test_the_page_names_them_without_a_configuration(path):
    page = page_of(path)
    assert page.count('src="data:image/png;base64,') == 6
    for told in (
        "has flow",
        "has mrna",
        "flow+mrna",
        "absent: mrna",
        "The splits hold",
        "feature_lstm",
    ):
        assert told in page
    assert "visual" not in page


def spoil(path, name):
    if name == "gone":
        path.unlink()
    elif name == "damaged":
        path.write_bytes(b"junk")
    else:
        np.save(path, np.full((20, 4), np.nan) if name == "nan" else np.ones((20, 5)))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("gone", "No such file"),
        ("damaged", "not a valid"),
        ("nan", "NaN, infinite or beyond"),
        ("wide", "5 numbers each"),
    ],
)
def test_a_file_at_fault_is_a_finding_and_the_rest_is_shown(path, tmp_path, fault, told):
    spoil(tmp_path / "three-flow.npy", fault)
    inspected = inspect(path, tmp_path)
    assert any("three: " in line and told in line for line in inspected.findings)
    views = {view.id: view for view in view_examples(inspected, 9)}
    assert views["three"].absent == ("flow", "mrna")
    assert views["three"].warnings == ("flow cannot be read.",)
    assert views["two"].modalities[0].values.shape == (10, 4)
    assert survey_manifest(inspected).presence["flow"]["train"] == 1
    page = page_of(path)
    assert "Training refuses this manifest" in page
    assert told in page


def test_features_that_no_training_clip_has_are_a_finding(path, tmp_path):
    rows = [
        row if row.split != "train" else row.model_copy(update={"features": {"flow": "one-flow.npy"}})
        for row in read_manifest(path).clips
    ]
    manifest = Manifest(tuple(rows), tmp_path)
    inspected = open_to_inspect(manifest, configured(path, manifest), tmp_path / "store")
    assert any("no training clip has any" in line for line in inspected.findings)
    six = next(view for view in view_examples(inspected, 9) if view.id == "six")
    assert (six.absent, six.warnings) == ((), ())


def test_where_no_file_can_be_read_the_modality_is_told_of(path, tmp_path):
    for name in NAMES:
        spoil(tmp_path / f"{name}-flow.npy", "damaged")
    inspected = inspect(path, tmp_path)
    assert "The flow features of 5 clips cannot be used:" in inspected.findings
    two = next(view for view in view_examples(inspected, 9) if view.id == "two")
    assert (two.absent, two.warnings) == (("flow",), ("flow cannot be read.",))
    assert survey_manifest(inspected).presence_by_class["b"]["flow"] == 1  # the manifest names it


def test_what_a_manifest_without_configuration_is_read_as():
    def kinds(**given):
        clip = Clip(id="a", label="a", group="a", split="train", **given)
        return {name: it.kind for name, it in inputs_of(Manifest((clip,), None)).items()}

    video = {"visual": "visual", "audio": "audio", "text": "text"}
    assert kinds(video="a.mp4") == video
    assert kinds(metadata={"title": "a"}) == video
    assert kinds(features={"mrna": "a.npy", "text": "t.npy"}) == {"text": "features", "mrna": "features"}
    assert kinds(audio="a.wav", features={"visual": "a.npy", "audio": "b.npy"}) == video | {
        "visual": "features"
    }


def test_an_input_that_no_clip_has_is_absent_and_not_opened(path, tmp_path):
    config = configured(path)
    config = config.model_copy(
        update={
            "inputs": config.inputs | {"gaze": Input.of("features")},
            "modalities": (*config.modalities, "gaze"),
        }
    )
    inspected = open_to_inspect(read_manifest(path), config, tmp_path / "store")
    assert "gaze" not in inspected.modalities
    assert inspected.findings == ()
    assert all("gaze" in view.absent for view in view_examples(inspected, 9))


JOINTS = """
import torch
from mmvideo.encoders.base import Encoder
from mmvideo.modalities.base import Modality


class Joints(Modality):
    kind = "joints"
    default_encoder = "joints_of_mine:JointsEncoder"

    def where(self, source):
        return frozenset(clip.id for clip in source.clips if clip.id != "one")

    def read(self, clip, stored, window, *, training):
        count = 3 if clip.id in self.present else 0
        return torch.full((count, 17, 2), 0.5), torch.arange(count) / 4


class JointsEncoder(Encoder):
    takes = "joints"
"""


def test_a_kind_of_ones_own_is_shown_too(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "joints_of_mine.py").write_text(JOINTS)
    inputs = {"joints": Input.of("joints_of_mine:Joints")}
    inspected = open_to_inspect(read_manifest(path), RunConfig(inputs=inputs), tmp_path / "store")
    views = {view.id: view for view in view_examples(inspected, 9)}
    (joints,) = views["two"].modalities
    assert (joints.kind, joints.values.shape) == ("joints", (3, 17, 2))
    assert views["one"].absent == ("joints",)
    assert survey_manifest(inspected).presence_by_class["a"] == {"joints": 1}
    (axes, _) = draw(views["two"]).subfigs[0].axes
    assert axes.get_title(loc="right") == "3 items (17×2), float32, from 0.5 to 0.5"


def test_the_audit_names_the_features_that_can_be_read(path, tmp_path):
    assert survey_manifest(inspect(path, tmp_path)).features == ("flow", "mrna")
    arguments = [
        "inspect",
        path,
        "--store",
        tmp_path / "store",
        "--out",
        tmp_path / "p.html",
        "--examples",
        "0",
    ]
    with pytest.raises(SystemExit):
        main(list(map(str, arguments)))
    assert "all files of flow and mrna features can be read" in (tmp_path / "p.html").read_text()
