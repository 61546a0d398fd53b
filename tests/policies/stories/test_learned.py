"""The learned story policy: what it sees, what it learns from stories, what it says where nobody ever was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.export import ModelError
from policies.stories.featurizer import StoryFeaturizer, StoryVocabulary
from policies.stories.scripts import Script, glued, openings
from policies.stories.served import MANIFEST_FILE, MODEL_FILE, ServedStoryPolicy, save_story_policy
from policies.stories.state import LISTEN, StoryState
from policies.stories.training import StoryLearner, StoryTraining, imitate
from tests.policies.stories.mood_scripts import BYE, HAPPY, MOODS, form_story, script

NAMES = st.sampled_from(["greet", "order", "inform", "nothing like it", "utter_greet", LISTEN, "pizza_form"])
STATES = st.builds(
    StoryState,
    intent=st.none() | NAMES,
    entities=st.lists(st.sampled_from(["size", "city#to"]), unique=True).map(tuple),
    previous_action=st.none() | NAMES,
    slots=st.dictionaries(st.sampled_from(["size", "requested_slot"]), st.sampled_from(["set", "large"])),
    active_loop=st.none() | NAMES,
    requested_slot=st.none() | st.just("size"),
)


@pytest.fixture(scope="module")
def learner() -> StoryLearner:
    return imitate(MOODS, StoryTraining(updates=300))[0]


@pytest.fixture(scope="module")
def folder(learner: StoryLearner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    save_story_policy(learner.network, learner.featurizer, learner.actions, folder, project="abc")
    return folder


@pytest.fixture
def copy_of(folder: Path, tmp_path: Path) -> Path:
    for name in (MODEL_FILE, MANIFEST_FILE):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


@given(st.lists(STATES, min_size=1, max_size=9), st.booleans())
def test_features_are_bounded_and_show_only_the_latest_states(states: list[StoryState], begun: bool) -> None:
    states = [replace(state, previous_action=state.previous_action or LISTEN) for state in states]
    featurizer = StoryFeaturizer(StoryVocabulary.of([*form_story().states, *HAPPY.states]), 4)
    features = featurizer([StoryState(), *states] if begun else states)
    assert features.shape == (4, featurizer.width)
    assert set(np.unique(features)) <= {0.0, 1.0}
    assert features[:, 0].sum() == min(len(states), 4)
    assert (features == featurizer(states[-4:])).all()


@given(STATES, STATES)
def test_states_that_differ_in_known_names_differ_in_features(one: StoryState, other: StoryState) -> None:
    featurizer = StoryFeaturizer(StoryVocabulary.of([one, other]))
    assert (one.key() == other.key()) == bool((featurizer.row(one) == featurizer.row(other)).all())


def test_unknown_names_are_ignored_but_noticed() -> None:
    featurizer = StoryFeaturizer(StoryVocabulary.of(HAPPY.states))
    strange = StoryState("zzz", ("unheard",), previous_action="action_new", slots={"new": "set"}, active_loop="new")
    assert np.flatnonzero(featurizer.row(strange)).size == 4  # a state, spoken, unknown intent, unknown action
    with pytest.raises(ValueError, match="max_history"):
        StoryFeaturizer(featurizer.vocabulary, 0)


def test_gluing_is_bounded_and_only_lengthens_histories() -> None:
    rng = np.random.default_rng(0)
    assert glued(MOODS, 5, 0, rng) == []
    for factor in (1, 2, 9):
        examples = glued(MOODS, 5, factor, rng)
        assert 0 < len(examples) <= min(factor, 3) * 3 * 5
        assert all(len(example.history) <= 5 for example in examples)
    written = {(e.history[-1].key(), e.action) for s in MOODS for e in s.examples(5)}
    assert {(e.history[-1].key(), e.action) for e in examples} <= written
    assert openings(MOODS) == {"greet", "goodbye", "bot_challenge"}


def test_slots_of_the_earlier_story_stay() -> None:
    (example, *_) = glued((form_story(), replace(form_story(), name="again")), 5, 1, np.random.default_rng(0))
    assert example.history[-1].slots == {"size": "set"}
    assert example.history[-1].intent == "order"


def test_it_learns_every_story(learner: StoryLearner) -> None:
    assert all(learner.accuracy(list(story.examples(5))) == 1.0 for story in MOODS)


def test_a_wrong_network_is_noticed(learner: StoryLearner) -> None:
    shuffled = replace(learner, actions=learner.actions[1:] + learner.actions[:1])
    assert shuffled.accuracy([example for story in MOODS for example in story.examples(5)]) < 0.5


def test_equal_seeds_give_equal_networks_and_nothing_else_does() -> None:
    few = StoryTraining(updates=5)
    weights = [
        imitate(MOODS, settings)[0].network.embed.weight.detach() for settings in (few, few, replace(few, seed=1))
    ]
    assert bool((weights[0] == weights[1]).all())
    assert not bool((weights[0] == weights[2]).all())


def test_it_is_sure_in_stories_and_unsure_elsewhere(folder: Path) -> None:
    policy = ServedStoryPolicy.load(folder)
    sure = [policy.predict(example.history).best[1] for example in HAPPY.examples(5)]
    assert min(sure) > 0.8
    strange = policy.predict([StoryState("never_heard", previous_action=LISTEN)])
    assert strange.best[1] < 0.3
    assert sum(strange.probabilities.values()) == pytest.approx(1.0)
    assert not strange.certain


def test_serving_gives_what_was_trained(learner: StoryLearner, folder: Path) -> None:
    policy = ServedStoryPolicy.load(folder)
    for story in MOODS:
        for example in story.examples(5):
            served, trained = policy.predict(example.history), learner.predict(example.history)
            assert served.probabilities == pytest.approx(trained.probabilities, abs=1e-5)
            assert served.best[0] == example.action


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (MODEL_FILE, lambda data: data[:-1] + b"x", "sha256 differs"),
        (MODEL_FILE, None, "no such file"),
        (MANIFEST_FILE, None, "train the project first"),
        (MANIFEST_FILE, lambda data: b"[]", "not a manifest"),
        (MANIFEST_FILE, lambda data: data.replace(b'"format": 1', b'"format": 2'), "format 2"),
        (MANIFEST_FILE, lambda data: data.replace(b'"greet"', b'"gruss", "greet"'), "vocabulary makes"),
        (MANIFEST_FILE, lambda data: _with(data, actions=["action_listen"]), "gives"),
    ],
)
def test_damaged_models_are_refused_by_name(copy_of: Path, file: str, change: object, message: str) -> None:
    if callable(change):
        (copy_of / file).write_bytes(change((copy_of / file).read_bytes()))
    else:
        (copy_of / file).unlink()
    with pytest.raises(ModelError, match=message) as caught:
        ServedStoryPolicy.load(copy_of)
    assert str(copy_of) in str(caught.value)


def _with(data: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(data), **fields}).encode()


def test_nothing_to_imitate_is_said() -> None:
    with pytest.raises(ValueError, match="neither stories nor rules"):
        imitate((), StoryTraining())
    with pytest.raises(ValueError, match="1 states for 0 actions"):
        Script("broken", BYE.states[:1], ())
    assert script("empty").first_turn is None
