"""The measure by which the NLU's training is tuned, and the settings that are tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.assistant import Assistant
from bot.nlu.cross_validation import intent_accuracy
from bot.nlu.encoder import Encoder
from bot.nlu.encoder_export import export_encoder
from bot.nlu.settings import DEFAULTS, NLUTraining
from policies.optimize.space import search_space


@pytest.fixture(scope="module")
def small(assistant: Assistant) -> Assistant:
    """Fifteen sentences each of five intents."""
    intents = ("inform", "request", "hello", "bye", "negate")
    kept = [[e for e in assistant.examples if e.intent == intent][:15] for intent in intents]
    return replace(assistant, examples=tuple(e for group in kept for e in group), faq=(), validation=())


def test_settings_count_and_equal_ones_give_equal_numbers(small: Assistant, tmp_path: Path) -> None:
    export_encoder(tmp_path / "encoder")
    encoder = Encoder(tmp_path / "encoder")
    heard: list[tuple[int, float]] = []
    usual = intent_accuracy(small, encoder, DEFAULTS, each_fold=lambda fold, value: heard.append((fold, value)))
    assert [fold for fold, _ in heard] == [0, 1, 2]
    assert heard[-1][1] == usual == intent_accuracy(small, encoder, DEFAULTS)
    assert 0.7 < usual <= 1.0
    blunt = intent_accuracy(small, encoder, replace(DEFAULTS, inverse_regularisation=1e-6, balance=0.0))
    assert blunt < usual - 0.1


def test_what_may_be_tried_is_declared_and_in_range() -> None:
    space = {dimension.name: dimension for dimension in search_space(NLUTraining)}
    assert set(space) == {"inverse_regularisation", "balance", "typo_share"}
    for name, dimension in space.items():
        assert dimension.low <= getattr(DEFAULTS, name) <= dimension.high
        for end in (dimension.low, dimension.high):
            replace(DEFAULTS, **{name: end})
    for wrong in ({"balance": 1.5}, {"typo_share": -0.1}, {"inverse_regularisation": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            NLUTraining(**wrong)


def test_without_a_trained_nlu_the_remedy_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(f"assistant: {Path(__file__).parents[3] / 'assistants' / 'restaurants'}\n")
    told = CliRunner().invoke(app, ["tune", "nlu", "--config", str(tmp_path / "config.yml")])
    assert "run `rejoinder train nlu` first" in str(told.exception)
