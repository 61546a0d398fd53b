"""What users do, what the tracker knows, what counts as success, and TC-Bot's own figures."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.tcbot.actions import NAMES
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.settings import SLOT_ERRORS, MovieSettings
from simulator.tcbot.tables import UNSAID
from simulator.tcbot.task import MovieTask, load_task
from simulator.tcbot.transcript import system_line, user_line
from tests.simulator.tcbot.worlds import do, published, with_goal, write

DIALOGUES, REFERENCE = 10_000, 1000
RULE_SUCCESS, RULE_TURNS, RULE_REWARD = 42.3, 16.0, 3.8
"""TC-Bot's own code with its rule agent, over 1,000 dialogues."""


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MovieTask:
    return load_task(write(tmp_path_factory.mktemp("movies")))


def rule_agent(settings: MovieSettings) -> tuple[float, float, float]:
    """Success in %, reward and turns of the rule agent."""
    dialogues = MovieDialogues(published(), settings, list(range(DIALOGUES)))
    total = np.zeros(DIALOGUES)
    while not dialogues.state.over.all():
        total += dialogues.step(dialogues.rule())
    return 100 * dialogues.state.success.mean(), total.mean(), dialogues.turns().mean()


def agrees(success: float, reward: float) -> bool:
    """Within two standard errors of both measurements and a point; a point of success is worth 1.2 of reward."""
    share = RULE_SUCCESS / 100
    error = 100 * np.sqrt(share * (1 - share) * (1 / REFERENCE + 1 / DIALOGUES))
    return bool(abs(success - RULE_SUCCESS) <= 2 * error + 1 and abs(reward - RULE_REWARD) <= 1.2 * (2 * error + 1))


def test_the_rule_agent_does_as_well_as_in_tc_bot() -> None:
    success, reward, turns = rule_agent(MovieSettings())
    assert agrees(success, reward), f"{success:.1f} % / {reward:.2f}"
    assert turns == RULE_TURNS


def test_users_who_are_misheard_would_be_noticed() -> None:
    """The comparison is sharp enough to see 5 % of errors."""
    success, reward, _ = rule_agent(MovieSettings(slot_error=0.05))
    assert not agrees(success, reward)


def test_sizes_are_tc_bots() -> None:
    assert MovieDialogues(published(), MovieSettings(), [0]).size == 272
    assert len(NAMES) == len(set(NAMES)) == 43


def test_a_dialogue_that_does_all_succeeds_and_costs_its_turns(task: MovieTask) -> None:
    dialogues = with_goal(task, 0)
    reward = do(
        dialogues, "request(city)", "request(date)", "request(numberofpeople)", "inform(taskcomplete)", "thanks()"
    )
    assert dialogues.state.success[0]
    assert reward == 80 - 4
    assert dialogues.turns()[0] == 10


def test_what_the_user_asks_must_be_answered(task: MovieTask) -> None:
    steps = ["request(city)", "request(numberofpeople)", "inform(theater)", "inform(starttime)", "inform(taskcomplete)"]
    dialogues = with_goal(task, 1)
    do(dialogues, *steps, "thanks()")
    assert dialogues.state.success[0]
    for left_out in steps[2:]:
        dialogues = with_goal(task, 1)
        reward = do(dialogues, *(step for step in steps if step != left_out), "thanks()")
        assert not dialogues.state.success[0], left_out
        assert reward == -40 - 4


def test_answers_are_the_commonest_values_that_fit(task: MovieTask) -> None:
    """Alpha in Rome: two of three shows are at Lux; of these, the earlier row decides between the two times."""
    dialogues = with_goal(task, 1)
    do(dialogues, "inform(theater)")
    assert system_line(dialogues) == 'system: inform(theater="Lux")'
    do(dialogues, "inform(starttime)")
    assert system_line(dialogues) == 'system: inform(starttime="8 pm")'
    do(dialogues, "inform(genre)")
    assert system_line(dialogues) == 'system: inform(genre="no match")'


def test_users_correct_a_wrong_value_and_deny_an_offer_that_lacks_one(task: MovieTask) -> None:
    dialogues = with_goal(task, 0)
    do(dialogues, "inform(taskcomplete)")
    assert user_line(dialogues) == "user: deny()"
    dialogues = with_goal(task, 1)
    do(dialogues, "inform(moviename)")  # the table's spelling differs from the user's
    assert 'moviename="alpha"' in user_line(dialogues)
    do(dialogues, "request(price)")
    assert 'price="any"' in user_line(dialogues)


def test_asking_back_makes_the_user_tell_all_constraints(task: MovieTask) -> None:
    dialogues = with_goal(task, 1)
    do(dialogues, "request(theater)")
    known = dialogues.state.known[0] != UNSAID
    assert {task.slots[slot] for slot in np.flatnonzero(known)} == {"moviename", "city", "numberofpeople"}


def test_the_21st_system_turn_is_one_too_many(task: MovieTask) -> None:
    dialogues = MovieDialogues(task, MovieSettings(), [1])
    assert do(dialogues, *["deny()"] * 20) == -20
    assert not dialogues.state.over[0]
    assert do(dialogues, "thanks()") == -40
    assert dialogues.state.over[0]
    assert do(dialogues, "thanks()") == 0


@pytest.mark.parametrize("mode", SLOT_ERRORS)
def test_errors_come_as_often_as_they_should(task: MovieTask, mode: str) -> None:
    """City is requested of 20,000 users: 20 % of the answers are lost or replaced by a word of the dictionary."""
    dialogues = MovieDialogues(task, MovieSettings(slot_error=0.2, slot_error_mode=mode), list(range(20_000)))
    do(dialogues, "request(city)")
    city = task.slots.index("city")
    said, wanted = dialogues.state.said[:, city], dialogues.tables.goal[dialogues.state.goal, city]
    lost = (said == UNSAID).mean()
    replaced = ((said != UNSAID) & (said != wanted)).mean()
    assert abs(lost - {"value": 0, "mixed": 0.2 * 0.67, "lose": 0.2}[mode]) < 0.01
    assert abs(replaced - {"value": 0.2, "mixed": 0.2 * 0.33, "lose": 0}[mode] * 2 / 3) < 0.01


def test_acts_are_misheard_as_often_as_they_should(task: MovieTask) -> None:
    dialogues = MovieDialogues(task, MovieSettings(intent_error=0.3), list(range(20_000)))
    do(dialogues, "request(city)")
    wrong = dialogues.state.user_act != task.acts.index("inform")
    assert abs(wrong.mean() - 0.3 * 6 / 7) < 0.01


def test_equal_seeds_give_equal_dialogues_in_any_batch(task: MovieTask) -> None:
    settings = MovieSettings(slot_error=0.1, intent_error=0.1)
    many, one = MovieDialogues(task, settings, [5, 6, 7]), MovieDialogues(task, settings, [6])
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(len(NAMES), size=3).astype(np.int32)
        assert many.step(actions)[1] == one.step(actions[1:2])[0]
        assert np.array_equal(many.observe()[1], one.observe()[0])
        many.reset(np.flatnonzero(many.state.over))
        one.reset(np.flatnonzero(one.state.over))


def test_the_state_vector_says_what_happened(task: MovieTask) -> None:
    """Each slice of it, read independently of how it is written."""
    dialogues = with_goal(task, 0)
    do(dialogues, "request(date)", "inform(city)")
    vector, state, slots, acts = dialogues.observe()[0], dialogues.state, len(task.slots), len(task.acts)
    sizes = [acts, slots, slots, acts, slots, slots, slots, 1, 44, slots + 1, slots + 1]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    assert np.array_equal(np.flatnonzero(parts[0]), [state.user_act[0]])
    assert np.array_equal(parts[1] > 0, state.said[0] != UNSAID)
    assert np.array_equal(parts[2] > 0, state.asked[0])
    assert task.acts[int(parts[3].argmax())] == "inform"
    assert [task.slots[n] for n in np.flatnonzero(parts[4])] == ["city"]
    assert not parts[5].any()
    assert np.array_equal(parts[6] > 0, state.known[0] != UNSAID)
    assert parts[7][0] == np.float32(0.5)
    assert np.array_equal(np.flatnonzero(parts[8]), [5])
    assert parts[10][task.slots.index("date")] == np.float32(0.01)
    assert np.array_equal(parts[9] > 0, parts[10] > 0)
