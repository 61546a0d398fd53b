"""Judging users: the truth scores best, equal dialogues have no distance, pictures and reports are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.corpora.dialogues import CorpusDialogue, CorpusError, CorpusGoal
from simulator.simulation import SimulationSettings
from simulator.user_parameters import UserParameters
from simulator.users.fit import fit_user
from simulator.users.judge import ACTS, generated, ks_distance, likelihood, noise_floor, ratio, recorded
from simulator.users.network import UserNetwork
from simulator.users.plots import plot_matrix
from simulator.users.predict import AgendaPredictor, NetworkPredictor, Unigram
from simulator.users.replay import Replay
from simulator.users.report import report_on_users
from tests.simulator.users.recordings import ONTOLOGY, TALKATIVE, TASK, record

SILENT = replace(TALKATIVE, inform_combination=(0.1, 0.1), greeting=(0.05, 0.05), request_up_front=(0.0, 0.0))


@pytest.fixture(scope="module")
def held_out() -> list[CorpusDialogue]:
    return record(120, seed=77)


def test_the_true_speaker_is_likelier_than_another(held_out: list[CorpusDialogue], network: UserNetwork) -> None:
    replay = Replay(held_out, ONTOLOGY)
    scores = {
        name: likelihood(predictor, replay)
        for name, predictor in {
            "truth": AgendaPredictor(TALKATIVE, replay, 60),
            "silent": AgendaPredictor(SILENT, replay, 60),
            "unigram": Unigram(Replay(record(200))),
            "learned": NetworkPredictor(network, replay),
        }.items()
    }
    means = {name: score["log_likelihood"].mean for name, score in scores.items()}
    assert means["truth"] > means["silent"] + 0.2
    assert means["truth"] > means["unigram"] + 0.5
    assert means["learned"] > means["unigram"] + 0.5
    assert scores["truth"]["micro_f1"].mean > scores["silent"]["micro_f1"].mean
    for score in scores.values():
        assert score["log_likelihood"].low <= score["log_likelihood"].mean <= score["log_likelihood"].high <= 0.0


def test_the_true_speaker_is_about_as_likely_as_can_be(held_out: list[CorpusDialogue]) -> None:
    """Marginal chances of the truth are calibrated: of what is said with 30 %, about 30 % is said."""
    replay = Replay(held_out, ONTOLOGY)
    predictor = AgendaPredictor(TALKATIVE, replay, 60)
    chance, said = [], []
    for step in replay.steps():
        could = step.situation.possible().flat
        chance.append(predictor(step)[could])
        said.append(step.said.flat[could])
    p, y = np.concatenate(chance), np.concatenate(said)
    for low, high in ((0.05, 0.35), (0.35, 0.65), (0.65, 0.95)):
        chosen = (p >= low) & (p < high)
        assert chosen.sum() > 30
        assert y[chosen].mean() == pytest.approx(p[chosen].mean(), abs=0.12)


def test_generated_dialogues_of_the_truth_look_like_the_recordings(held_out: list[CorpusDialogue]) -> None:
    truth = recorded(Replay(held_out))
    same = generated(ONTOLOGY, SimulationSettings(TASK, TALKATIVE), 400)
    other = generated(ONTOLOGY, SimulationSettings(TASK, SILENT), 400)
    floor = noise_floor([len(held_out), 400])
    assert ks_distance(truth.turns, same.turns) < 1.5 * floor
    assert ks_distance(truth.turns, other.turns) > ks_distance(truth.turns, same.turns)
    for act in ACTS:
        assert same.acts[act] == pytest.approx(truth.acts[act], abs=0.12)
    assert same.goal_change == pytest.approx(truth.goal_change, abs=0.12)


SAMPLES = st.lists(st.integers(1, 20), min_size=1, max_size=30).map(np.array)


@given(SAMPLES, SAMPLES)
def test_ks_distance(a: np.ndarray, b: np.ndarray) -> None:  # type: ignore[type-arg]
    distance = ks_distance(a, b)
    brute = max(abs(np.mean(a <= x) - np.mean(b <= x)) for x in range(22))
    assert distance == pytest.approx(brute)
    assert distance == ks_distance(b, a)
    assert ks_distance(a, a) == 0.0
    assert 0.0 <= distance <= 1.0


def test_a_ratio_has_an_interval() -> None:
    found = ratio(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    assert found.mean == 1.0
    assert found.low < 1.0 < found.high


def test_the_report_and_its_pictures(held_out: list[CorpusDialogue], learned: Path, tmp_path: Path) -> None:
    training = record(200)
    fitted = fit_user(training, "simulated")
    stages: list[str] = []
    report = report_on_users(
        training, held_out, fitted, learned, tmp_path, samples=20, dialogues=300, stage=stages.append
    )
    assert set(report["turns"]) == {"unigram", "hand-set agenda", "fitted agenda", "learned"}
    ll = {name: score["log_likelihood"]["mean"] for name, score in report["turns"].items()}
    assert ll["fitted agenda"] > ll["hand-set agenda"]
    assert report["dialogues"]["fitted agenda"]["ks_distance"] < report["dialogues"]["hand-set agenda"]["ks_distance"]
    assert report["how_people_differ"]["range"] > report["how_people_differ"]["hand_set"]
    assert len(stages) == 3
    for name in ("turns.png", "acts.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    alone = report_on_users(training, held_out, fitted, None, tmp_path, samples=5, dialogues=20)
    assert "learned" not in alone["turns"]
    with pytest.raises(CorpusError, match="nothing to judge"):
        report_on_users(training, [CorpusDialogue("g", CorpusGoal({"food": "thai"}), ())], fitted, None, tmp_path)


def test_hand_set_people_differ_from_the_recorded(held_out: list[CorpusDialogue]) -> None:
    replay = Replay(held_out, ONTOLOGY)
    hand = likelihood(AgendaPredictor(UserParameters.sampled(), replay, 40), replay)
    fitted = likelihood(AgendaPredictor(fit_user(record(300), "x").parameters, replay, 40), replay)
    assert fitted["log_likelihood"].mean > hand["log_likelihood"].mean + 0.1


def test_a_matrix_is_drawn(tmp_path: Path) -> None:
    plot_matrix([[0.5, 1.0], [0.0, 0.9]], ["a", "b"], ["a", "b"], tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"
