"""Fitting finds the numbers of people whom we know, says what they rest on, and never half-writes a file."""

from __future__ import annotations

import json
from dataclasses import replace
from math import comb, exp
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.ontology import BoolArray, IntArray
from simulator.corpora.dialogues import CorpusDialogue, CorpusError, CorpusGoal
from simulator.goal import GoalSampler, Task
from simulator.random import RowRandom
from simulator.user_agenda import AgendaUsers
from simulator.user_parameters import UserParameters
from simulator.user_turn import Told
from simulator.users.estimate import HAZARD_STRENGTH, beta_binomial, count, hazard, uniform_binomial
from simulator.users.fit import fit_user
from simulator.users.fitted import FittedUser, FittedUserError
from simulator.users.replay import Replay, effective_goal
from tests.simulator.users.recordings import ONTOLOGY, TALKATIVE, TASK, record


@pytest.fixture(scope="module")
def recordings() -> list[CorpusDialogue]:
    return record(1000)


@pytest.fixture(scope="module")
def fitted(recordings: list[CorpusDialogue]) -> FittedUser:
    return fit_user(recordings, "simulated")


@pytest.mark.parametrize(
    "name",
    [
        "inform_combination",
        "greeting",
        "add_request",
        "bye_when_done",
        "alternatives_first",
        "request_up_front",
        "thank",
    ],
)
def test_known_habits_are_found(fitted: FittedUser, name: str) -> None:
    truth, found = getattr(TALKATIVE, name)[0], fitted.counts[name]
    assert found.trials > 150
    assert found.mean == pytest.approx(truth, abs=0.06)
    assert found.low <= truth + 0.06
    assert found.high >= truth - 0.06


def test_other_people_are_told_apart() -> None:
    """The check above would notice users with other habits."""
    silent = fit_user(record(400, replace(TALKATIVE, inform_combination=(0.2, 0.2), greeting=(0.1, 0.1))), "silent")
    assert silent.counts["inform_combination"].mean < 0.35
    assert silent.counts["greeting"].mean < 0.2


def test_goals_are_found(fitted: FittedUser) -> None:
    assert fitted.constraints["food"].mean == pytest.approx(0.9, abs=0.08)
    assert fitted.books.mean == pytest.approx(0.4, abs=0.06)
    task = fitted.task(ONTOLOGY, TASK)
    task.check(ONTOLOGY)
    assert task.constraint_priors["food"] == fitted.constraints["food"].mean


def test_the_share_of_hopeless_first_choices_is_the_recorded_one(fitted: FittedUser) -> None:
    """Random values are often on offer, hence the prior is larger than the share of people who were refused."""
    task = fitted.task(ONTOLOGY)
    sampler = GoalSampler(ONTOLOGY, task)
    goals = sampler.sample(RowRandom(range(4000)).uniform(sampler.width))
    hopeless = (~AgendaUsers(ONTOLOGY, TASK, [0]).matcher.matches(goals.wanted).any(axis=1)).mean()
    assert task.unsatisfiable == 1.0 or hopeless == pytest.approx(fitted.unsatisfiable.mean, abs=0.03)


def test_a_file_says_what_it_rests_on_and_comes_back_whole(fitted: FittedUser, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "user")
    assert FittedUser.load(path) == fitted == FittedUser.load(tmp_path / "user")
    content = json.loads(path.read_text())
    assert content["corpus"]["dialogues"] == 1000
    assert len(content["corpus"]["fingerprint"]) == 16
    entry = content["counts"]["greeting"]
    assert entry["trials"] == 1000
    assert 0 < entry["successes"] < entry["trials"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: c.pop("counts"), "counts"),
        (lambda c: c.update(format=99), "another version"),
        (lambda c: c["counts"].update(politeness=c["counts"]["greeting"]), "politeness"),
        (lambda c: c["counts"]["greeting"].update(low=2.0), "greeting"),
        (lambda c: c.update(hazard=[[1, 2]]), "not a fitted user"),
    ],
)
def test_a_damaged_file_says_so(fitted: FittedUser, tmp_path: Path, change: object, what: str) -> None:
    path = fitted.save(tmp_path)
    content = json.loads(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(json.dumps(content))
    with pytest.raises(FittedUserError, match=what) as caught:
        FittedUser.load(tmp_path)
    assert "user.json" in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FittedUserError, match="rejoinder train user"):
        FittedUser.load(tmp_path)


def test_what_nobody_showed_stays_as_it_was() -> None:
    """Goals without dialogues inform about what people want and nothing else."""
    goals = [CorpusDialogue(str(i), CorpusGoal({"food": "thai"}, ("phone",)), ()) for i in range(10)]
    fitted = fit_user(goals, "goals")
    hand, parameters = UserParameters.sampled(), fitted.parameters
    assert all(number.trials == 0 for number in fitted.counts.values())
    assert parameters.greeting == hand.greeting
    assert parameters.hazard == ()
    assert fitted.constraints["food"].mean > 0.9
    with pytest.raises(CorpusError, match="no constraint"):
        fit_user([CorpusDialogue("x", CorpusGoal({}), ())], "empty")


def test_smoothing_leans_on_the_hand_set_value() -> None:
    few = count(np.array([1]), np.array([1]), (0.2, 0.4))
    many = count(np.ones(500, dtype=np.int64), np.ones(500, dtype=np.int64), (0.2, 0.4))
    assert few.prior == 0.3
    assert 0.3 < few.mean < 0.5
    assert many.mean > 0.99


def test_a_goal_includes_what_was_said_beyond_it(recordings: list[CorpusDialogue]) -> None:
    whole = recordings[0]
    bare = replace(whole, goal=CorpusGoal({}, details=whole.goal.details))
    assert effective_goal(bare).constraints == whole.goal.constraints
    assert set(effective_goal(bare).requests) == set(whole.goal.requests)


def test_a_replay_shows_every_turn_once(recordings: list[CorpusDialogue]) -> None:
    part = recordings[:50]
    steps = list(Replay(part).steps())
    assert sum(len(step.rows) for step in steps) == sum(len(dialogue.turns) for dialogue in part)
    assert sum(int(step.final.sum()) for step in steps) == 50
    for step in steps:
        assert not (step.said.inform & ~step.situation.cares).any()
        assert not (step.situation.unfilled & ~step.situation.requests).any()
        assert not (step.situation.answered & step.situation.unfilled).any()


# -- estimators ------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.floats(0.2, 20), st.floats(0.2, 20), st.integers(1, 12))
def test_beta_binomial_sums_to_one(a: float, b: float, n: int) -> None:
    total = sum(comb(n, s) * exp(beta_binomial(np.array([s]), np.array([n]), a, b)) for s in range(n + 1))
    assert total == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.5), st.floats(0.5, 1.0), st.integers(1, 12))
def test_uniform_binomial_sums_to_one(low: float, high: float, n: int) -> None:
    total = sum(comb(n, s) * exp(uniform_binomial(np.array([s]), np.array([n]), low, high)) for s in range(n + 1))
    assert total == pytest.approx(1.0, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60), st.floats(0, 0.9))
def test_a_count_is_a_probability_in_its_range(pairs: list[tuple[int, int]], low: float) -> None:
    successes = np.array([min(pair) for pair in pairs])
    trials = np.array([max(pair) for pair in pairs])
    found = count(successes, trials, (low, min(1.0, low + 0.1)))
    assert 0.0 <= found.low <= found.mean + 1e-3
    assert found.mean - 1e-3 <= found.high <= 1.0
    UserParameters(greeting=(found.low, found.high))


def simulated_lifetimes(chance: float, people: int = 6000) -> tuple[IntArray, BoolArray]:
    """Turns, and whether somebody gave up, when everybody is served after 1 to 6 turns unless they leave before."""
    rng = np.random.default_rng(3)
    leaves, served = 1 + rng.geometric(chance, people), rng.integers(1, 7, people)
    return np.minimum(leaves, served).astype(np.int32), leaves <= served


def test_the_hazard_allows_for_people_who_are_served_first() -> None:
    turns, left = simulated_lifetimes(0.1)
    found = [chance for _, _, chance in hazard(turns, left)]
    assert found[0] == 0.0
    assert found[1:] == pytest.approx([0.1] * 5, abs=0.02)
    naive = [(left & (turns == t + 1)).mean() for t in range(1, 6)]
    assert naive[-1] < 0.03, "without censoring the late hazard would be far too small"


def test_a_thin_hazard_leans_on_the_overall_one() -> None:
    turns, left = np.array([2] * 100 + [9], dtype=np.int32), np.array([False] * 100 + [True])
    last = hazard(turns, left)[-1]
    assert last[:2] == (1, 1)
    assert last[2] < 2 / HAZARD_STRENGTH


# -- what fitted users do --------------------------------------------------------------------------------------


def told(users: AgendaUsers) -> Told:
    return Told(np.full(users.goals.wanted.shape, -1, dtype=np.int32), users.goals.open_value.copy())


def test_people_give_up_with_the_hazard_of_the_turn() -> None:
    from memory.turn import KIND, SystemTurn

    parameters = replace(UserParameters.sampled(), hazard=(0.0, 0.0, 0.3), patience=(99, 99))
    users = AgendaUsers(ONTOLOGY, TASK, range(4000), parameters)
    users.open(np.arange(4000, dtype=np.int32))
    system = SystemTurn.empty(ONTOLOGY, 4000)
    system.kind[:], system.slot[:] = KIND["request"], 0
    users.react(system, told(users))
    assert users.state.hung_up.mean() == 0.0
    users.react(system, told(users))
    assert users.state.hung_up.mean() == pytest.approx(0.3, abs=0.03)
    users.react(system, told(users))
    assert users.state.hung_up.mean() == pytest.approx(1 - 0.7**2, abs=0.03)


def test_users_without_fitted_habits_draw_no_numbers_for_them() -> None:
    plain = AgendaUsers(ONTOLOGY, TASK, [1], UserParameters.sampled())
    fitted = AgendaUsers(ONTOLOGY, TASK, [1], replace(UserParameters.sampled(), thank_with_bye=0.5))
    row = np.zeros(1, dtype=np.int32)
    assert str(plain.open(row)) == str(fitted.open(row))
    assert fitted.random.uniform(1) != plain.random.uniform(1)


def test_habits_are_probabilities() -> None:
    with pytest.raises(ValueError, match="hazard"):
        UserParameters(hazard=(0.1, 1.5))
    with pytest.raises(ValueError, match="thank_with_bye"):
        UserParameters(thank_with_bye=-0.1)


def test_attributes_are_asked_for_as_often_as_their_weights() -> None:
    weights = {"phone": 6.0, "address": 3.0, "hours": 1.0}
    task = Task({}, requestable=tuple(weights), request_counts=(0, 1), request_weights=weights)
    sampler = GoalSampler(ONTOLOGY, task)
    asked = sampler.sample(RowRandom(range(20_000)).uniform(sampler.width)).requests.mean(axis=0)
    shares = [asked[ONTOLOGY.request_index[name]] for name in weights]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.015)
    with pytest.raises(ValueError, match="request_weights"):
        replace(task, request_weights={"phone": 0.0}).check(ONTOLOGY)
    with pytest.raises(ValueError, match="fax"):
        replace(task, request_weights={"fax": 1.0}).check(ONTOLOGY)
