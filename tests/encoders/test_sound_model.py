"""Pretrained sound models: what their own extractor and network give, of tiny random models; and when."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from planted_runs import small_inputs
from tiny_pretrained import SOUNDS, edit, sound_folder
from torch import Tensor

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.contract import encoders
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.data.opened import store_settings
from mmvideo.data.run_data import RunData
from mmvideo.encoders import sound_model
from mmvideo.encoders.sound_model import SoundModel
from mmvideo.encoders.sound_models import AstSound, WaveSound, load_sound_model
from mmvideo.encoders.sound_network import SoundNetwork
from mmvideo.errors import InputError
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.execute import execute
from mmvideo.store.decode.audio import decode_audio
from mmvideo.types import Tokens

Configure = Callable[..., RunConfig]
pytestmark = pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # WavLM's own
LENGTHS = (53, 0, 21, 1, 53)
"""Items of 20 ms: from one to several windows of half a second, or of one."""
SHARED = Path(__file__).parents[2].parent / "shared"
WEIGHTS = Path(os.environ.get("MMVIDEO_WEIGHTS", SHARED / "weights")) / "whisper-tiny-en"
SPEECH = Path(os.environ.get("MMVIDEO_SHARED_DATA", SHARED / "data")) / "grid_digits/clips/bbaf2n.mp4"


@pytest.fixture(scope="session", params=SOUNDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_folder(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def find(family: str) -> Path:
        if family not in made:
            made[family] = sound_folder(family, tmp_path_factory.mktemp(family))
        return made[family]

    return find


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder is read once; each encoder gets a copy. And clips are as long as several windows."""
    held: dict[tuple[Any, ...], SoundNetwork] = {}

    def load(*given: Any) -> SoundNetwork:
        if given not in held:
            held[given] = load_sound_model(*given)
        return copy.deepcopy(held[given])

    monkeypatch.setattr(sound_model, "load_sound_model", load)
    monkeypatch.setattr(encoders, "LENGTHS", LENGTHS)
    monkeypatch.setattr(encoders, "COPIES", 1)


def sound(rate: int, seconds: float, seed: int = 0) -> Tensor:
    """A tone that rises, in noise."""
    times = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.02, len(times))
    return torch.from_numpy((0.2 * np.sin(2000 * times * (1 + times)) + noise).astype(np.float32))


def own_tokens(folder: Path, samples: Tensor) -> Tensor:
    """What the family's own extractor and network give of one window, in order of time."""
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    given = extractor(samples.numpy(), sampling_rate=extractor.sampling_rate, return_tensors="pt")
    given = {name: value.float() if value.is_floating_point() else value for name, value in given.items()}
    if network.config.model_type in ("whisper", "clap"):
        network = getattr(network, "audio_model", None) or network.get_encoder()
    with torch.no_grad():
        state = network(**given).last_hidden_state[0]
    if network.config.model_type == "audio-spectrogram-transformer":
        bands = [state[2 + 6 * band : 8 + 6 * band] for band in range(3)]  # 3 bands of 6 columns
        return torch.stack(bands).mean(dim=0)
    return state.mean(dim=1).T if state.ndim == 3 else state


def agrees(folder: Path, seconds: float = 0.45) -> None:
    network = load_sound_model(str(folder), "last", 0.5)
    samples = sound(network.rate, seconds)
    with torch.no_grad():
        tokens, times = network([samples])[0]
    expected = own_tokens(folder, samples)[: len(tokens)]
    assert len(times) == len(tokens) >= 3
    torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-4)


def test_tokens_are_those_of_the_familys_own_extractor_and_network(folder: Path) -> None:
    agrees(folder)


def shows_when(folder: Path, layer: Any) -> None:
    """Before attention mixes them, 5 ms upside down change the token the most whose time is nearest."""
    network = load_sound_model(str(folder), layer, 0.5)
    clicks = torch.tensor([0.15, 0.31, 0.78, 1.21])
    plain = sound(network.rate, 1.3)
    with torch.no_grad():
        before, times = network([plain])[0]
        for click in clicks:
            changed, at = plain.clone(), round(float(click) * network.rate)
            changed[at : at + network.rate // 200] *= -1
            change = (network([changed])[0][0] - before).abs().sum(dim=1)
            nearest = (times - click).abs().argmin()
            assert abs(change.argmax() - nearest) <= 1, f"{change.argmax()} for {nearest}"


@pytest.mark.parametrize("family", [family for family in SOUNDS if family != "clap"])
def test_times_are_the_centres(folder_of: Callable[[str], Path], family: str) -> None:
    shows_when(folder_of(family), 0)


@pytest.mark.parametrize(
    ("family", "first", "step", "counts"),
    [
        ("whisper", 0.0, 0.02, {0.01: 1, 0.5: 25, 1.0: 50, 2.51: 126}),
        ("wav2vec2", 102.5 / 16000, 0.02, {0.01: 1, 0.5: 25, 1.0: 50}),
        ("wav2vec2-bert", 0.0175, 0.02, {0.01: 1, 0.5: 24, 1.0: 49}),
        ("ast", 0.0875, 0.1, {0.01: 1, 0.3: 3, 0.55: 5, 1.3: 13}),
        ("clap", 0.03125, 0.0625, {0.01: 1, 0.5: 8, 1.5: 24}),
    ],
)
def test_known_times(
    folder_of: Callable[[str], Path], family: str, first: float, step: float, counts: dict[float, int]
) -> None:
    network = load_sound_model(str(folder_of(family)), "last", 0.5)
    with torch.no_grad():
        found = [times for _, times in network([sound(network.rate, seconds) for seconds in counts])]
    assert [len(times) for times in found] == list(counts.values())
    for times in found:
        torch.testing.assert_close(times, first + step * torch.arange(len(times), dtype=torch.float64))


def case(folder: Path, **options: Any) -> Case:
    given = SoundModel.Config(
        model=str(folder), dropout=0.0, **{"trunk": "transformer", "window_seconds": 0.5, **options}
    )
    return encoder_case(SoundModel, given)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("promise", CONTRACT, ids=lambda promise: promise.__name__)
def test_contract(
    folder_of: Callable[[str], Path], read_once: None, promise: Callable[[Case, bool], None], training: bool
) -> None:
    promise(case(folder_of("ast"), layer="weighted"), training)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_what_a_family_may_break(folder: Path, read_once: None, training: bool) -> None:
    encoders.masks_and_times_are_consistent(case(folder), training)
    encoders.absent_clips_are_zeros(case(folder), training)
    encoders.padding_changes_nothing(case(folder), training)
    encoders.alone_is_as_in_a_batch(case(folder), training)


def test_trained_models_keep_it_too(folder: Path, read_once: None) -> None:
    tuned = case(folder, frozen=False)
    encoders.alone_is_as_in_a_batch(tuned, True)
    encoders.same_twice(tuned, True)  # nothing is masked or dropped at random
    encoder = case(folder, tune={"blocks": 1}).prepare(True)
    encoders.total(encoder(tuned.inputs())).backward()
    with_gradient = {n for n, p in encoder.get_submodule("model").named_parameters() if p.grad is not None}
    assert with_gradient
    assert not any("layers.0." in name for name in with_gradient)


def test_frozen_models_are_never_trained_nor_in_training_mode(folder_of: Callable[[str], Path]) -> None:
    encoder = case(folder_of("clap"), trunk="lstm").make(frozenset({"trunk"})).train()
    assert not any(module.training for module in encoder.get_submodule("model.network").modules())
    assert not any(parameter.requires_grad for parameter in encoder.get_submodule("model").parameters())
    assert encoder.get_submodule("project").training


def test_the_last_block_is_trained_and_nothing_below(
    folder_of: Callable[[str], Path], read_once: None
) -> None:
    tuned = case(folder_of("whisper"), tune={"blocks": 1})
    encoder = tuned.prepare(True)
    encoders.total(encoder(tuned.inputs())).backward()
    network = encoder.get_submodule("model.network")
    last = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert last == {"layers", "layer_norm"}
    assert all(p.grad is None for p in network.get_submodule("layers")[0].parameters())
    with pytest.raises(ValueError, match="layer 1 leaves unread"):
        SoundModel.Config.model_validate({"model": "m", "layer": 1, "tune": {"blocks": 1}})


class TestBrokenTwins:
    def test_frequency_first_read_as_time_first(
        self, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def time_first(self: AstSound, state: Tensor) -> Tensor:
            return state[:, 2:].unflatten(1, (self.tokens, -1)).mean(dim=2)

        monkeypatch.setattr(AstSound, "columns", time_first)
        with pytest.raises(AssertionError):
            agrees(folder_of("ast"))
        with pytest.raises(AssertionError):
            shows_when(folder_of("ast"), 0)

    def test_group_norm_over_padding(
        self, folder_of: Callable[[str], Path], read_once: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepare = WaveSound.prepare

        def leaky(self: WaveSound, config: Any, window_seconds: float) -> None:
            prepare(self, config, window_seconds)
            self.equal_lengths = False

        monkeypatch.setattr(WaveSound, "prepare", leaky)
        with pytest.raises(AssertionError, match="alone instead of in a batch"):
            encoders.alone_is_as_in_a_batch(case(folder_of("wav2vec2-group")), False)

    @pytest.mark.parametrize("family", ["whisper", "ast", "clap"])
    def test_padding_counted_as_real(
        self,
        folder_of: Callable[[str], Path],
        read_once: None,
        monkeypatch: pytest.MonkeyPatch,
        family: str,
    ) -> None:
        monkeypatch.setattr(SoundNetwork, "real_tokens", lambda self, samples: self.tokens)
        with pytest.raises(AssertionError, match="a time lies outside of the clip"):
            encoders.masks_and_times_are_consistent(case(folder_of(family)), False)

    def test_a_class_default_for_normalisation(
        self, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepare = AstSound.prepare

        def default(self: AstSound, config: Any, window_seconds: float) -> None:
            prepare(self, config, window_seconds)
            self.extractor = transformers.ASTFeatureExtractor(num_mel_bins=36, max_length=66)

        monkeypatch.setattr(AstSound, "prepare", default)
        with pytest.raises(AssertionError):
            agrees(folder_of("ast"))


class TestLayers:
    def test_a_number_counts_as_hidden_states_do(self, folder_of: Callable[[str], Path]) -> None:
        folder = folder_of("wav2vec2")
        network = transformers.Wav2Vec2Model.from_pretrained(folder).eval()
        samples = sound(16000, 0.4)
        normed = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
        with torch.no_grad():
            expected = network(normed[None], output_hidden_states=True).hidden_states
            for layer in (0, 1, -1):
                found, _ = load_sound_model(str(folder), layer, 0.5)([samples])[0]
                torch.testing.assert_close(found, expected[layer][0])
            every, _ = load_sound_model(str(folder), "weighted", 0.5)([samples])[0]
        torch.testing.assert_close(every, torch.cat([state[0] for state in expected], dim=1))

    def test_weights_choose_among_them(self, folder_of: Callable[[str], Path], read_once: None) -> None:
        weighted, second = (
            case(folder_of("ast"), layer=layer, trunk="none").prepare(False) for layer in ("weighted", 1)
        )
        assert isinstance(weighted, SoundModel) and weighted.layers is not None  # noqa: PT018
        with torch.no_grad():
            weighted.layers.copy_(torch.tensor([-50.0, 50.0, -50.0]))
        inputs = case(folder_of("ast")).inputs()
        second.load_state_dict({k: v for k, v in weighted.state_dict().items() if k != "layers"})
        found, expected = (encoder(inputs).stem for encoder in (weighted, second))
        torch.testing.assert_close(found.values, expected.values)


class TestAhead:
    @staticmethod
    def reading(configure: Configure, folder: Path, snr_db: float | None = None, **options: Any) -> RunConfig:
        encoder = EncoderChoice.of("sound_model", model=str(folder), **options)
        inputs = {**small_inputs(), "audio": Input.of("audio", encoder, snr_db=snr_db)}
        return configure(modalities=("audio",), fusion=FusionChoice.of("single"), inputs=inputs)

    @staticmethod
    def ahead(config: RunConfig) -> RunData:
        data = RunData.open(config)
        data.source.kept.clear()
        encode_ahead(data, torch.device("cpu"))
        return data

    @pytest.mark.parametrize("layer", ["last", "weighted"])
    def test_what_is_cached_is_what_the_sound_gives(
        self, configure: Configure, folder_of: Callable[[str], Path], layer: str
    ) -> None:
        config = self.reading(configure, folder_of("whisper"), snr_db=5.0, layer=layer)
        plain = RunData.open(
            self.reading(configure, folder_of("whisper"), snr_db=5.0, layer=layer, cached=False)
        )
        data = self.ahead(config)
        encoder = SoundModel(config.inputs["audio"].encoder.options, None, 8, frozenset({"stem"})).eval()
        row = next(i for i, clip in enumerate(data.clips("test")) if data.present(clip))
        stems = []
        for values, times in (d.dataset("test")[row].inputs["audio"] for d in (plain, data)):
            mask = torch.ones(1, len(values), dtype=torch.bool)
            stems.append(encoder.stem(Tokens(values[None], mask, times[None])))
        sound, cached = stems
        count = cached.mask.shape[1]
        assert count == 50
        assert sound.mask.shape[1] == 51, "the last item is filled with silence, which is heard"
        torch.testing.assert_close(sound.values[:, :count], cached.values)
        torch.testing.assert_close(sound.time[:, :count], cached.time)

    def test_other_windows_are_computed_anew(
        self, configure: Configure, folder_of: Callable[[str], Path]
    ) -> None:
        """Of a model that takes any length, windows are an option."""
        found = {}
        for seconds in (0.25, 30.0):
            data = self.ahead(self.reading(configure, folder_of("wav2vec2"), window_seconds=seconds))
            encoded = data.modalities["audio"].encoded
            assert encoded is not None
            name = next(clip.id for clip in data.clips("test") if data.present(clip))
            found[seconds] = (encoded.path(name), encoded.read(name)[0])
        assert found[0.25][0] != found[30.0][0]
        assert not np.array_equal(found[0.25][1], found[30.0][1])

    def test_a_run_trains_on_them(
        self, configure: Configure, folder_of: Callable[[str], Path], tmp_path: Path
    ) -> None:
        config = self.reading(configure, folder_of("ast"), half=True, trunk="lstm")
        assert (execute(config, root=tmp_path) / "result.json").exists()

    def test_sound_that_changes_is_not_cached(
        self, configure: Configure, folder_of: Callable[[str], Path]
    ) -> None:
        config = self.reading(configure, folder_of("ast"))
        given = config.inputs["audio"]
        moved = Input.of("audio", given.encoder, gain_db=3.0)
        data = self.ahead(config.model_copy(update={"inputs": {**config.inputs, "audio": moved}}))
        assert data.modalities["audio"].encoded is None
        cached = EncoderChoice.of("sound_model", model=str(folder_of("ast")), cached=True)
        with pytest.raises(InputError, match=r"would be wrong with gain_db, redraw_noise; switch off"):
            Input.of("audio", cached, gain_db=3.0, snr_db=0.0, redraw_noise=True)

    def test_the_store_decodes_at_the_models_rate(
        self, configure: Configure, folder_of: Callable[[str], Path]
    ) -> None:
        rates = [
            store_settings(self.reading(configure, folder_of(family))).sample_rate
            for family in ("clap", "whisper")
        ]
        assert rates == [48000, 16000]


class TestRefused:
    def refused(self, match: str, **options: Any) -> None:
        with pytest.raises(InputError, match=match):
            SoundModel.refuse_unusable(SoundModel.Config(**options))

    def test_no_model(self) -> None:
        self.refused("needs its option `model`")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        self.refused("there is no such folder", model=str(tmp_path / "whisper"))

    def test_another_kind_of_model(self, tmp_path: Path) -> None:
        transformers.BertConfig().save_pretrained(tmp_path)
        self.refused("Unknown kind of sound model.*'bert'", model=str(tmp_path))

    def test_a_folder_without_a_preprocessor(self, tmp_path: Path) -> None:
        (sound_folder("whisper", tmp_path) / "preprocessor_config.json").unlink()
        self.refused("has no preprocessor_config.json", model=str(tmp_path))

    def test_a_preprocessor_that_leaves_normalisation_to_its_class(self, tmp_path: Path) -> None:
        edit(sound_folder("ast", tmp_path) / "preprocessor_config.json", lambda file: file.pop("mean"))
        self.refused("does not say mean", model=str(tmp_path))

    def test_a_preprocessor_of_another_model(self, tmp_path: Path) -> None:
        sound_folder("whisper", tmp_path)
        edit(tmp_path / "preprocessor_config.json", lambda file: file.update(feature_size=80))
        self.refused("by feature_size that is 80, and the model takes 8", model=str(tmp_path))
        edit(tmp_path / "preprocessor_config.json", lambda file: file.update(feature_size=8, chunk_length=30))
        self.refused("by chunk_length that is 3000, and the model takes 100", model=str(tmp_path))

    def test_the_file_that_describes_all_parts_counts_first_as_the_library_has_it(
        self, tmp_path: Path
    ) -> None:
        given = json.loads((sound_folder("wav2vec2", tmp_path) / "preprocessor_config.json").read_text())
        both = {"feature_extractor": {**given, "sampling_rate": 8000, "do_normalize": False}}
        (tmp_path / "processor_config.json").write_text(json.dumps(both))
        network = load_sound_model(str(tmp_path))
        assert (network.rate, network.extractor.sampling_rate) == (8000, 8000)
        assert network.made_by["preprocessor"]["do_normalize"] is network.extractor.do_normalize is False

    def test_a_model_that_needs_code_from_the_hub(self, tmp_path: Path) -> None:
        edit(
            sound_folder("hubert", tmp_path) / "config.json", lambda file: file.update(auto_map={"A": "m.M"})
        )
        self.refused("needs code that comes with it", model=str(tmp_path))

    def test_layers_that_are_not_there(self, folder_of: Callable[[str], Path]) -> None:
        self.refused(r"has layers 0 .* to 2 .*; got layer 3", model=str(folder_of("ast")), layer=3)
        self.refused("layers of different widths", model=str(folder_of("clap")), layer="weighted")

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        sound_folder("ast", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(num_hidden_layers=3))
        with pytest.raises(InputError, match="do not fit ASTModel: 16 are missing"):
            load_sound_model(str(tmp_path))
        edit(tmp_path / "config.json", lambda file: file.update(hidden_size=32))
        with pytest.raises(InputError, match="neither a local folder nor a hub name that loads"):
            load_sound_model(str(tmp_path))

    def test_weights_that_are_no_safetensors(self, tmp_path: Path) -> None:
        sound_folder("ast", tmp_path)
        (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
        with pytest.raises(InputError, match="safetensors"):
            load_sound_model(str(tmp_path))

    def test_sound_at_another_rate(self, folder_of: Callable[[str], Path]) -> None:
        encoder = SoundModel(SoundModel.Config(model=str(folder_of("ast"))), None, 8, frozenset({"stem"}))
        at_8_khz = Tokens(torch.zeros(1, 3, 160), torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3))
        with pytest.raises(
            InputError, match=r"takes sound at 16000 Hz in items of 321 samples.*items of 160"
        ):
            encoder(at_8_khz)


def test_half_precision_checkpoints_are_read_in_single(tmp_path: Path) -> None:
    folder = sound_folder("hubert", tmp_path)
    transformers.AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    assert {p.dtype for p in load_sound_model(str(folder)).parameters()} == {torch.float32}


def test_whisper_on_speech() -> None:
    if not (WEIGHTS / "config.json").is_file() or not SPEECH.is_file():
        pytest.skip(f"needs Whisper in {WEIGHTS} (MMVIDEO_WEIGHTS names its folder) and {SPEECH}")
    heard = decode_audio(SPEECH, sample_rate=16000)
    assert heard is not None
    samples = torch.from_numpy(heard[0])
    with torch.no_grad():
        tokens, times = load_sound_model(str(WEIGHTS))([samples])[0]
    assert len(tokens) == -(-len(samples) // 320) == len(times)
    expected = own_tokens(WEIGHTS, samples)
    torch.testing.assert_close(tokens, expected[: len(tokens)], rtol=0, atol=1e-4)
