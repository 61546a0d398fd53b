"""The channel hears within the promises of UserEvidence, at the rates it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.turn import FLOW, FLOW_ACTS, UserEvidence
from simulator.channel import NoiseChannel
from simulator.noise import QUANTILES, ErrorModel, ErrorModelError, histogram_quantiles, normal_quantiles
from simulator.random import RowRandom
from simulator.small import restaurant_sized_ontology
from simulator.user_turn import UserTurn

ONTOLOGY = restaurant_sized_ontology()
PROFILE = {
    "rates": {"deletion": 0.1, "substitution": 0.05, "insertion": 0.02, "per_slot": {"food": 0.3, "people": 0.4}},
    "confidence_correct": {"mean": 0.9, "sd": 0.1, "histogram": [0, 0, 0, 0, 1, 0, 0, 0, 1, 8]},
    "confidence_wrong": {"mean": 0.5, "sd": 0.2, "histogram": []},
    "semantic_error_rate": 0.12,
    "turns": 250,
}


def random_turn(rng: np.random.Generator, batch: int, density: float = 0.3) -> UserTurn:
    turn = UserTurn.empty(ONTOLOGY, batch)
    for s in range(len(ONTOLOGY.slots)):
        for values in (turn.inform, turn.deny):
            said = rng.random(batch) < density
            choice = rng.integers(ONTOLOGY.offsets[s], ONTOLOGY.offsets[s + 1], size=batch)
            values[:, s] = np.where(said, choice, -1)
    turn.request[:] = rng.random(turn.request.shape) < density
    turn.flow[:] = rng.random(turn.flow.shape) < density
    turn.open_value[:] = np.where(rng.random(turn.open_value.shape) < density, rng.integers(8, size=batch)[:, None], -1)
    turn.venue[:] = np.where(rng.random(batch) < density, rng.integers(ONTOLOGY.num_entities, size=batch), -1)
    return turn


def hear(turn: UserTurn, model: ErrorModel, seed: int = 0) -> UserEvidence:
    batch = len(turn.venue)
    channel = NoiseChannel(ONTOLOGY, [model], 8, RowRandom([seed * 100_000 + i for i in range(batch)]))
    return channel.hear(turn, np.zeros(batch, dtype=np.int32))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_evidence_keeps_its_promises(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    for model in (ErrorModel.at(rate), ErrorModel(deletion=rate / 2, substitution=rate / 2, insertion=rate)):
        heard = hear(random_turn(rng, 40), model, seed % 1000)
        for name in ("inform", "deny", "request", "flow", "open_confidence", "venue_confidence"):
            mass = getattr(heard, name)
            assert mass.min() >= 0.0, name
            assert mass.max() <= 1.0 + 1e-6, name
        assert np.add.reduceat(heard.inform, ONTOLOGY.offsets[:-1], axis=1).max() <= 1.0 + 1e-5
        assert (heard.open_value[heard.open_confidence > 0] >= 0).all()
        assert (heard.venue[heard.venue_confidence > 0] >= 0).all()


def test_without_errors_everything_is_heard_and_nothing_else() -> None:
    turn = random_turn(np.random.default_rng(1), 200)
    heard = hear(turn, ErrorModel.none())
    rows, slots = np.nonzero(turn.inform >= 0)
    assert (heard.inform[rows, turn.inform[rows, slots]] == 1.0).all()
    assert heard.inform.sum() == len(rows)
    assert np.array_equal(heard.request, turn.request)
    assert np.array_equal(heard.flow, turn.flow)
    assert np.array_equal(heard.open_value, turn.open_value)
    assert np.array_equal(heard.venue, turn.venue)


def test_rates_are_met() -> None:
    turn = UserTurn.empty(ONTOLOGY, 20_000)
    turn.inform[:, 0] = 3
    turn.flow[:, FLOW["affirm"]] = True
    turn.open_value[:, 0] = 5
    heard = hear(turn, ErrorModel.from_profile(PROFILE))
    food = heard.inform[:, : ONTOLOGY.offsets[1]]
    top_right = (food.argmax(axis=1) == 3) & (food.max(axis=1) > 0)
    assert (heard.flow.max(axis=1) == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (heard.flow[:, FLOW["affirm"]] > 0).mean() == pytest.approx(0.85 + 0.05 / (len(FLOW_ACTS) - 3), abs=0.02)
    assert 0.55 < top_right.mean() < 0.72
    assert (heard.open_value[:, 0] == 5).mean() == pytest.approx(0.5, abs=0.02)
    assert (heard.open_confidence[:, 0] == 0).mean() == pytest.approx(0.1, abs=0.01)


def test_inventions_happen_at_their_rate() -> None:
    heard = hear(UserTurn.empty(ONTOLOGY, 20_000), ErrorModel(insertion=0.2))
    invented = (heard.inform.sum(axis=1) > 0) | (heard.request.sum(axis=1) > 0) | (heard.flow.sum(axis=1) > 0)
    assert invented.mean() == pytest.approx(0.2, abs=0.01)
    assert heard.flow[:, [FLOW["bye"], FLOW["restart"], FLOW["cancel"]]].max() == 0.0


def test_a_confusion_never_says_goodbye() -> None:
    turn = UserTurn.empty(ONTOLOGY, 5000)
    turn.flow[:, FLOW["affirm"]] = True
    assert hear(turn, ErrorModel.at(1.0)).flow[:, FLOW["bye"]].max() == 0.0


def test_quantile_tables_have_the_profile() -> None:
    assert normal_quantiles(0.5, 0.1).mean() == pytest.approx(0.5, abs=0.01)
    assert normal_quantiles(0.5, 0.1).std() == pytest.approx(0.1, abs=0.01)
    assert normal_quantiles(0.7, 0.0).tolist() == pytest.approx([0.7] * QUANTILES)
    table = histogram_quantiles([0, 1, 0, 3])
    assert ((table > 0.25) & (table < 0.5)).mean() == pytest.approx(0.25, abs=0.02)
    assert (table > 0.75).mean() == pytest.approx(0.75, abs=0.02)


def test_each_dialogue_has_one_of_the_models() -> None:
    channel = NoiseChannel(ONTOLOGY, [ErrorModel.none(), ErrorModel.at(0.5)], 8, RowRandom(range(4000)))
    model = channel.assign(np.arange(4000, dtype=np.int32))
    assert model.mean() == pytest.approx(0.5, abs=0.03)
    turn = UserTurn.empty(ONTOLOGY, 4000)
    turn.request[:, 0] = True
    right = channel.hear(turn, model).request[:, 0] == 1.0
    assert right[model == 0].all()
    assert not right[model == 1].any()


def test_profiles_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "error_model.json"
    path.write_text(json.dumps(PROFILE))
    model = ErrorModel.from_json(path)
    assert (model.deletion, model.per_slot["food"]) == (0.1, 0.3)
    assert model.wrong.mean() == pytest.approx(0.5, abs=0.01)
    for text in ("{", "[]", "{}", json.dumps({**PROFILE, "rates": {"deletion": 2, "substitution": 0, "insertion": 0}})):
        path.write_text(text)
        with pytest.raises(ErrorModelError, match=r"error_model.json: not an error model"):
            ErrorModel.from_json(path)
    with pytest.raises(ErrorModelError, match="measure the NLU first"):
        ErrorModel.from_json(tmp_path / "missing.json")
    with pytest.raises(ErrorModelError, match="deletion is 2"):
        ErrorModel(deletion=2)
    with pytest.raises(ValueError, match="at least one error model"):
        NoiseChannel(ONTOLOGY, [], 8, RowRandom([0]))
