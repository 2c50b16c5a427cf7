"""Word pieces to levels: from scratch, and with tiny transformers saved on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    ClapConfig,
    CLIPConfig,
    GPT2Config,
    GPT2Model,
    PreTrainedConfig,
    T5Config,
    T5Model,
    ViTConfig,
    Wav2Vec2Config,
    WhisperConfig,
)

from mmvideo.encoders.text import TextTransformer
from mmvideo.errors import InputError
from mmvideo.modalities.text import Pieces
from mmvideo.types import Tokens
from mmvideo.vocabulary import LEVELS, Level

WIDTH, VOCABULARY = 12, 30
SMALL = TextTransformer.Config(layers=1, heads=2, hidden=16, dropout=0.0)


def pieces(lengths: list[int], longest: int = 6, *, padding: int = 0) -> Tokens:
    ids = torch.randint(2, VOCABULARY, (len(lengths), 9), generator=torch.Generator().manual_seed(0))[
        :, :longest
    ]
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return Tokens(
        torch.where(mask, ids, padding), mask, (torch.arange(longest) * 0.2).expand(len(lengths), -1)
    )


def encoder(
    config: TextTransformer.Config = SMALL, levels: Any = LEVELS, vocabulary: int = VOCABULARY
) -> TextTransformer:
    torch.manual_seed(0)
    return TextTransformer(config, vocabulary, WIDTH, frozenset(levels))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    folder = tmp_path_factory.mktemp("bert")
    BertModel(BertConfig(**sizes, max_position_embeddings=32)).save_pretrained(folder)
    return folder


def test_shapes_masks_and_times() -> None:
    given = pieces([6, 2, 0])
    out = encoder()(given)
    assert out.present.tolist() == [True, True, False]
    for level in (out.stem, out.trunk):
        assert level is not None
        assert level.values.shape == (3, 6, WIDTH)
        assert torch.equal(level.mask, given.mask)
        assert torch.equal(level.time, given.time)
        assert not level.values[~given.mask].any()
    assert out.clip is not None
    assert out.clip.shape == (3, WIDTH)
    assert not out.clip[2].any()


@pytest.mark.parametrize("levels", [{"stem"}, {"trunk"}, {"clip"}, {"stem", "clip"}])
def test_only_the_levels_asked_for_are_built(levels: set[Level]) -> None:
    made = encoder(levels=levels)
    out = made(pieces([4]))
    assert {level for level in LEVELS if getattr(out, level) is not None} == levels
    assert (made.transformer is None) == (levels == {"stem"})
    assert (made.project_stem is None) == ("stem" not in levels)


@pytest.mark.parametrize("training", [True, False])
def test_neither_padding_nor_other_clips_matter(training: bool) -> None:
    made = encoder().train(training)
    together = made(pieces([6, 2, 0]))
    garbage = made(pieces([6, 2, 0], 9, padding=7))
    clips = pieces([6, 2, 0])
    alone = made(Tokens(clips.values[1:2, :2], clips.mask[1:2, :2], clips.time[1:2, :2]))
    for level in ("stem", "trunk"):
        here = getattr(together, level).values
        torch.testing.assert_close(getattr(garbage, level).values[:, :6], here, rtol=0, atol=1e-5)
        torch.testing.assert_close(getattr(alone, level).values[0], here[1, :2], rtol=0, atol=1e-5)
    torch.testing.assert_close(garbage.clip, together.clip, rtol=0, atol=1e-5)
    torch.testing.assert_close(alone.clip[0], together.clip[1], rtol=0, atol=1e-5)


def test_the_trunk_knows_the_order_of_words_and_the_stem_does_not() -> None:
    made, given = encoder(), pieces([6])
    out, turned = made(given), made(given.replace_values(given.values.flip(1)))
    torch.testing.assert_close(turned.stem.values.flip(1), out.stem.values)
    assert (turned.trunk.values.flip(1) - out.trunk.values).abs().max() > 1e-3


def test_absent_clips_send_no_nan() -> None:
    made = encoder()
    out = made(pieces([0, 0]))
    assert out.clip is not None
    (out.clip.sum() + out.stem.values.sum()).backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())


class TestPretrained:
    def test_a_local_folder_gives_its_models_states(self, bert: Path) -> None:
        made = encoder(SMALL.model_copy(update={"model": str(bert)}), levels={"trunk"}).eval()
        given = pieces([6, 3])
        trunk = made(given).trunk
        assert trunk is not None
        own = BertModel.from_pretrained(bert).eval()
        states = own(input_ids=given.values, attention_mask=given.mask.long()).last_hidden_state
        expected = made.project_trunk(states).masked_fill(~given.mask[..., None], 0.0)
        torch.testing.assert_close(trunk.values, expected, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("frozen", [True, False])
    def test_frozen_means_that_only_what_stands_on_it_is_trained(self, bert: Path, frozen: bool) -> None:
        made = encoder(SMALL.model_copy(update={"model": str(bert), "frozen": frozen}))
        out = made(pieces([6, 3]))
        (out.clip.square().sum() + out.stem.values.sum()).backward()
        grads = {name: p.grad is not None for name, p in made.named_parameters()}
        inside = {name for name in grads if name.startswith("transformer.") and ".pooler." not in name}
        assert all(grads[name] == (not frozen) for name in inside)
        assert all(grads[name] for name in grads if not name.startswith("transformer."))

    def test_of_an_encoder_decoder_the_encoder_is_taken(self, tmp_path: Path) -> None:
        sizes = {
            "vocab_size": VOCABULARY,
            "d_model": 16,
            "d_kv": 8,
            "d_ff": 32,
            "num_layers": 1,
            "num_heads": 2,
        }
        T5Model(T5Config(**sizes)).save_pretrained(tmp_path)
        made = encoder(SMALL.model_copy(update={"model": str(tmp_path)}))
        assert made(pieces([6, 3])).clip.shape == (2, WIDTH)
        assert not [name for name, _ in made.named_parameters() if "decoder" in name]

    def test_one_that_has_no_padding_of_its_own_needs_none(self, tmp_path: Path) -> None:
        """GPT-2's tokenizer has no padding token, and none is read: what stands there changes nothing."""
        GPT2Model(GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
        made = encoder(SMALL.model_copy(update={"model": str(tmp_path)})).eval()
        given = pieces([6, 3])
        alone = Tokens(given.values[1:, :3], given.mask[1:, :3], given.time[1:, :3])
        torch.testing.assert_close(made(given).clip[1], made(alone).clip[0], rtol=0, atol=1e-6)

    def test_every_parameter_is_used(self, bert: Path) -> None:
        """What never gets a gradient is neither built nor counted."""
        made = encoder(SMALL.model_copy(update={"model": str(bert)}))
        out = made(pieces([6, 3]))
        (out.clip.square().sum() + out.stem.values.sum()).backward()
        assert [name for name, p in made.named_parameters() if p.grad is None] == []


class TestRefused:
    def test_frozen_from_scratch(self) -> None:
        with pytest.raises(InputError, match=r"frozen needs model"):
            encoder(SMALL.model_copy(update={"frozen": True}))

    def test_a_tokenizer_that_knows_more_than_the_model(self, bert: Path) -> None:
        with pytest.raises(InputError, match=r"knows 30 word pieces, its tokenizer 31"):
            encoder(SMALL.model_copy(update={"model": str(bert)}), vocabulary=31)

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=r"model '.*' is neither a local folder nor a hub name that loads"
        ):
            encoder(SMALL.model_copy(update={"model": str(tmp_path)}))

    def test_weights_that_would_be_unpickled(self, bert: Path, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
        torch.save(BertModel.from_pretrained(bert).state_dict(), tmp_path / "pytorch_model.bin")
        with pytest.raises(InputError, match="neither a local folder nor a hub name that loads"):
            encoder(SMALL.model_copy(update={"model": str(tmp_path)}))

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            (ViTConfig(), r"kind 'vit', which reads image \(pixel_values\)"),
            (Wav2Vec2Config(), r"kind 'wav2vec2', which reads audio \(input_values\)"),
            (WhisperConfig(), r"kind 'whisper', which reads audio and text \(input_features\)"),
            (CLIPConfig(), r"kind 'clip', which reads image and text"),
            (ClapConfig(), r"kind 'clap', which reads audio and text"),
        ],
    )
    def test_a_model_of_another_kind(self, kind: PreTrainedConfig, reason: str, tmp_path: Path) -> None:
        kind.save_pretrained(tmp_path)
        config = SMALL.model_copy(update={"model": str(tmp_path)})
        with pytest.raises(InputError, match=reason):
            TextTransformer.refuse_unusable(config)  # before anything is decoded
        with pytest.raises(InputError, match="Name one whose AutoModel reads text alone"):
            encoder(config)

    def test_heads_that_do_not_divide_the_width(self) -> None:
        with pytest.raises(InputError, match="hidden 16 cannot be split over 3 heads"):
            encoder(SMALL.model_copy(update={"heads": 3}))


def test_what_it_has_to_be_given() -> None:
    config = TextTransformer.Config(max_tokens=7, vocabulary_size=90, model="somewhere")
    assert TextTransformer.needs(config) == Pieces(7, 90, "somewhere")
