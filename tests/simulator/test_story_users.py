"""Users fitted on stories: they follow them, leave them as often as fitted, come back, repeat themselves, hang up."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.stories.featurizer import StoryFeaturizer, StoryVocabulary
from policies.stories.memorised import MemorisedPolicy
from policies.stories.rules import Rule, RulePolicy, RuleState
from policies.stories.scripts import Script
from policies.stories.state import LISTEN, StoryState
from simulator.story_dialogue import StoryDialogue, StorySettings
from simulator.story_env import StoryEnv, StoryEnvs, score
from simulator.story_training import StoryRun, judged, learn_story_policy
from simulator.story_user import StoryUsers
from tests.policies.stories.mood_scripts import BYE, HAPPY, MOODS, form_story, script

USERS = StoryUsers(MOODS)
ACTIONS = tuple(sorted({action for story in MOODS for action in story.actions}))
STAYING = StorySettings(digressing=0.0)
BYE_RULE = RulePolicy(
    [
        Rule((RuleState(LISTEN, "goodbye"),), "utter_goodbye"),
        Rule((RuleState(LISTEN, "goodbye"), RuleState("utter_goodbye")), LISTEN),
    ]
)


def env(scripts: tuple[Script, ...] = MOODS, how: StorySettings | None = None) -> StoryEnv:
    users = StoryUsers(scripts)
    featurizer = StoryFeaturizer(StoryVocabulary.of(state for story in scripts for state in story.states))
    actions = sorted({action for story in scripts for action in story.actions} | {"action_deactivate_loop"})
    return StoryEnv(users, featurizer, actions, how)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None, max_examples=40)
def test_a_bot_that_does_as_told_always_succeeds(seed: int, digressing: float) -> None:
    how = StorySettings(digressing=digressing)
    dialogue = StoryDialogue(StoryUsers((*MOODS, form_story())), how, np.random.default_rng(seed))
    total, steps = dialogue.reward, 0
    while not dialogue.over:
        total += dialogue.act(dialogue.expected)
        steps += 1
        assert steps < 200
    assert dialogue.success
    assert dialogue.wrong == 0
    assert total == how.success + how.turn * dialogue.turns
    assert digressing or not dialogue.digressed
    assert dialogue.history[-1].active_loop is None


def test_users_who_stay_tell_the_stories_as_they_are_written() -> None:
    written = {tuple(state.key() for state in story.states) for story in (HAPPY, *MOODS[1:3])}
    for seed in range(20):
        dialogue = StoryDialogue(USERS, STAYING, np.random.default_rng(seed))
        while not dialogue.over:
            dialogue.act(dialogue.expected)
        assert tuple(state.key() for state in dialogue.history) in written


def test_the_form_opens_and_closes_as_in_its_story() -> None:
    users = StoryUsers((form_story(), BYE))
    dialogue = StoryDialogue(users, STAYING, np.random.default_rng(0))
    while not dialogue.over:
        dialogue.act(dialogue.expected)
    assert [state.key() for state in dialogue.history] == [state.key() for state in form_story().states]


def test_the_unseen_is_as_probable_as_witten_and_bell_say() -> None:
    # after utter_greet: mood_great once, mood_unhappy twice: 2 kinds in 3 turns
    assert USERS.novelty["utter_greet", "greet"] == pytest.approx(2 / 5)
    first = [StoryDialogue(USERS, StorySettings(), np.random.default_rng(seed)) for seed in range(2000)]
    left = 0
    for dialogue in first:
        dialogue.act("utter_greet")
        dialogue.act(LISTEN)
        left += dialogue.digressed
    assert left / 2000 == pytest.approx(2 / 5, abs=0.04)


def test_who_is_answered_wrongly_repeats_and_then_hangs_up() -> None:
    dialogue = StoryDialogue(USERS, StorySettings(digressing=0.0, patience=2), np.random.default_rng(3))
    assert dialogue.act(LISTEN) == -6.0  # wrong, and the user says it again
    assert [state.intent for state in dialogue.history] == ["greet", "greet"]
    assert not dialogue.over
    assert dialogue.act("utter_goodbye") == -5.0
    assert dialogue.over
    assert not dialogue.success
    with pytest.raises(ValueError, match="over"):
        dialogue.act(LISTEN)


def test_rules_decide_first_and_stay_out_of_what_stories_see() -> None:
    seen_goodbye = 0
    for seed in range(60):
        dialogue = StoryDialogue(USERS, StorySettings(), np.random.default_rng(seed), BYE_RULE)
        while not dialogue.over:
            assert dialogue.seen[-1].intent != "goodbye"
            dialogue.act(dialogue.expected)
        seen_goodbye += any(state.intent == "goodbye" for state in dialogue.history)
        assert not any(state.intent == "goodbye" for state in dialogue.seen)
    assert seen_goodbye > 5


def test_nobody_digresses_into_what_means_something_else_here() -> None:
    # "affirm" opens a story, but after utter_help it is the answer to a question
    users = StoryUsers((*MOODS, script("yes at once", ("affirm", "utter_goodbye"))))
    answers: dict[str | None, set[str]] = {}
    for seed in range(200):
        dialogue = StoryDialogue(users, StorySettings(), np.random.default_rng(seed))
        while not dialogue.over:
            now = dialogue.history[-1]
            if now.intent == "affirm" and now.previous_action == LISTEN and len(dialogue.history) > 1:
                asked = next(s.previous_action for s in reversed(dialogue.history) if s.previous_action != LISTEN)
                answers.setdefault(asked, set()).add(dialogue.expected)
            dialogue.act(dialogue.expected)
    assert answers["utter_help"] == {"utter_happy"}
    assert "utter_goodbye" in answers["utter_greet"]


@pytest.mark.parametrize("scripts", [MOODS, (form_story(), BYE)])
def test_the_environment_keeps_gymnasiums_contract(scripts: tuple[Script, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env(scripts), skip_render_check=True)


def test_only_the_impossible_is_masked() -> None:
    place = env((form_story(), BYE), STAYING)
    _, info = place.reset(seed=0)
    leave = place.actions.index("action_deactivate_loop")
    assert not info["action_mask"][leave]
    assert info["action_mask"].sum() == len(place.actions) - 1
    _, _, _, _, info = place.step(place.actions.index("pizza_form"))
    assert info["action_mask"].all()


def test_equal_seeds_give_equal_episodes() -> None:
    runs = []
    for _ in range(2):
        envs = StoryEnvs(env, 4)
        features, _ = envs.reset(seed=5)
        rng, rows = np.random.default_rng(0), [features]
        for _ in range(30):
            features, reward, *_ = envs.step(rng.integers(len(ACTIONS), size=4).astype(np.int32))
            rows += [features, reward]
        runs.append(np.concatenate([row.ravel() for row in rows]))
    assert (runs[0] == runs[1]).all()


def test_memory_alone_fails_where_users_leave_the_stories() -> None:
    memory = MemorisedPolicy([example for story in MOODS for example in story.examples(5)])

    def act(history: list[StoryState]) -> str:
        return memory.predict(history).best[0] or "action_default_fallback"

    assert score(act, USERS, STAYING, 100, 0).success == 1.0  # type: ignore[arg-type]
    assert score(act, USERS, StorySettings(), 200, 0).digressing < 0.7  # type: ignore[arg-type]


def test_reinforcement_learns_paths_that_nobody_wrote() -> None:
    stages = []
    run = StoryRun(imitation_updates=250, updates=15, dialogues=100)
    learned = learn_story_policy(MOODS, USERS, run, progress=lambda stage, share: stages.append(stage))
    imitation, reinforced = (judged(policy, USERS, run, None) for policy in (learned.imitation, learned.final))
    assert reinforced["digressing"] >= max(imitation["digressing"], 0.95)  # type: ignore[type-var]
    assert reinforced["wrong_actions"] <= imitation["wrong_actions"]  # type: ignore[operator]
    assert not learned.final.interrupted
    assert set(stages) == {"imitation", "reinforcement"}


@pytest.mark.parametrize("stage", ["imitation", "reinforcement"])
def test_ctrl_c_keeps_what_was_reached(stage: str) -> None:
    def interrupt(running: str, share: float) -> None:
        if running == stage:
            raise KeyboardInterrupt

    learned = learn_story_policy(MOODS, USERS, StoryRun(imitation_updates=30, updates=2), progress=interrupt)
    assert learned.final.interrupted
    assert (learned.temperature is None) == (stage == "imitation")
    assert sum(learned.final.predict(HAPPY.states[:1]).probabilities.values()) == pytest.approx(1.0)


def test_without_users_there_is_nothing_to_practise() -> None:
    alone = Script("rule", (StoryState(previous_action="utter_a"),), ("utter_b",), rule=True)
    with pytest.raises(ValueError, match="nothing to practise"):
        StoryUsers((alone,))
