"""Training on very little: a small assistant of a few sentences still gives a working NLU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.nlu.pipeline import NLU, NLUError
from bot.nlu.train import train_nlu


@pytest.fixture(scope="module")
def small(assistant: Assistant) -> Assistant:
    """Twelve sentences each of four intents, no FAQ, nothing out of scope, nothing to validate on."""
    kept = [
        [e for e in assistant.examples if e.intent == intent][:12] for intent in ("inform", "request", "hello", "bye")
    ]
    return replace(assistant, examples=tuple(e for group in kept for e in group), faq=(), validation=())


def test_a_small_assistant_is_trained_reported_and_served(small: Assistant, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    report = train_nlu(small, tmp_path, lambda what, done: told.append((what, done)))
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1][1] == 1.0
    assert 0.5 < report["intents"]["accuracy"] <= 1.0
    assert "validation" not in report
    nlu = NLU.load(tmp_path, small)
    assert nlu.parse("hello").acts[0].act.type == "hello"
    assert "inform(food=thai)" in {str(s.act) for s in nlu.parse("thai food please").acts if s.confidence > 0.5}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nlu"]


def test_the_same_seed_gives_the_same_model(small: Assistant, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_nlu(small, tmp_path / name, seed=3)
    for part in ("intents.safetensors", "slots.crfsuite", "slots.json"):
        assert (tmp_path / "a" / "nlu" / part).read_bytes() == (tmp_path / "b" / "nlu" / part).read_bytes()


def test_a_model_of_another_ontology_is_refused(small: Assistant, tmp_path: Path) -> None:
    train_nlu(small, tmp_path)
    ontology = replace(small.ontology, requestable=small.ontology.requestable[:3])
    with pytest.raises(NLUError, match="other slots or values"):
        NLU.load(tmp_path, replace(small, ontology=ontology))
