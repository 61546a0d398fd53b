"""Stories and rules as decisions: the states are those of live conversations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.assistant_yaml import AssistantError
from bot.rasa.conversation import situation
from bot.rasa.reading.loading import load_project
from bot.rasa.story_policies import story_ensemble
from bot.rasa.story_states import contradictions, replay, rules_of, story_examples
from policies.stories.rules import RuleState
from policies.stories.state import LISTEN
from tests.bot.rasa.projects import PIZZA, write_project
from tests.bot.rasa.talk import Talk

EXAMPLES = Path(os.environ.get("REJOINDER_DATA", "missing")) / "rasa_examples" / "projects"

FORM_STORY = """
version: "3.1"
stories:
- story: form
  steps:
  - intent: book
    entities: [city: Rome]
  - action: trip_form
  - active_loop: trip_form
  - intent: greet
  - action: trip_form
  - intent: deny
  - action: utter_hello
  - intent: greet
  - action: trip_form
  - active_loop: null
  - slot_was_set: [city: null]
  - action: action_book
rules:
- rule: other
  condition: [slot_was_set: [city: null], active_loop: null]
  steps:
  - intent: deny
  - action: utter_hello
"""


def test_a_story_is_told_as_states_without_the_turns_that_the_form_runs(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path, {"data/all.yml": FORM_STORY}))
    told = [
        (e.history[-1].previous_action, e.history[-1].intent, e.action)
        for e in story_examples(project, project.stories)
    ]
    assert told == [
        (LISTEN, "book", "trip_form"),
        ("trip_form", "book", LISTEN),
        (LISTEN, "deny", "utter_hello"),
        ("utter_hello", "deny", LISTEN),
        (LISTEN, "greet", "trip_form"),
        ("trip_form", "greet", "action_book"),
        ("action_book", "greet", LISTEN),
    ]
    examples = story_examples(project, project.stories)
    assert examples[0].history[-1].slots == {"city": "set"}
    assert examples[0].history[-1].entities == ("city",)
    assert examples[-1].history[-1].slots == {}
    assert [e.history[-1].active_loop for e in examples] == [None, *["trip_form"] * 4, None, None]


def test_what_a_rule_forbids_and_demands(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path, {"data/all.yml": FORM_STORY}))
    first, then = rules_of(project.domain, project.rules)
    demanded = RuleState(LISTEN, "deny", slots=(("city", None),), no_loop=True)
    assert (first.states, first.action) == ((demanded,), "utter_hello")
    assert then.states[:-1] == (demanded,)
    assert (then.states[-1].previous_action, then.action) == ("utter_hello", LISTEN)


def test_replaying_a_story_and_living_it_look_the_same() -> None:
    """Whatever is memorised must be found again: every state of a live conversation equals its story's."""
    project = load_project(PIZZA)
    story = next(story for story in project.stories if story.name == "greeting, no pizza")
    told = [action.situation.full for action in replay(project.domain, story)]
    talk = Talk.with_project(PIZZA)
    lived = []
    choose = talk.engine.predict
    talk.engine.predict = lambda state: (lived.append(situation(state).full), choose(state))[1]  # type: ignore[func-returns-value]
    for text in ("/greet", "/deny"):
        talk.say(text)
    assert lived == told


def test_contradictions_are_told_with_file_and_line(tmp_path: Path) -> None:
    data = """\
    version: "3.1"
    rules:
    - rule: polite
      steps: [intent: greet, action: utter_hello]
    stories:
    - story: rude
      steps: [intent: greet, action: action_book]
    - story: fine
      steps: [intent: greet, action: utter_hello, intent: book, action: action_book]
    """
    project = load_project(write_project(tmp_path, {"data/all.yml": data}))
    (found,) = contradictions(project)
    assert (found.story, found.line, found.rule, found.rule_line) == ("rude", 6, "polite", 3)
    assert contradictions(load_project(PIZZA)) == []


@pytest.mark.parametrize(
    ("policies", "problem"),
    [
        ("name: MemoizationPolicy, max_history: many", "config.yml: max_history of MemoizationPolicy is 'many'"),
        ("name: RulePolicy, core_fallback_threshold: low", "config.yml: the threshold of RulePolicy is 'low'"),
    ],
)
def test_wrong_settings_of_policies_are_named(tmp_path: Path, policies: str, problem: str) -> None:
    files = {"config.yml": f"recipe: default.v1\nlanguage: en\npolicies:\n- {{{policies}}}\n"}
    project = load_project(write_project(tmp_path, files))
    with pytest.raises(AssistantError, match=problem):
        story_ensemble(project)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="REJOINDER_DATA names no folder with rasa_examples")
@pytest.mark.parametrize("name", ["moodbot", "rules"])
def test_rasas_example_projects_do_what_their_stories_and_rules_say(name: str) -> None:
    project = load_project(EXAMPLES / name)
    assert contradictions(project) == []
    ensemble = story_ensemble(project)
    for story in (*project.stories, *(rule for rule in project.rules if not rule.starts_anywhere)):
        for told in replay(project.domain, story):
            choice = ensemble.choose(told.situation)
            running = told.situation.full[-1].active_loop
            if choice.action != told.action and choice.action == running:
                choice = ensemble.choose(told.situation.rejected())
            if told.situation.full[-1].previous_action != "...":
                assert (story.name, told.step, choice.action) == (story.name, told.step, told.action)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="REJOINDER_DATA names no folder with rasa_examples")
def test_the_moodbot_says_what_rasa_says() -> None:
    talk = Talk.with_project(EXAMPLES / "moodbot")
    assert talk.say("/greet") == ["Hey! How are you?"]
    cheer, helped = talk.replies("/mood_unhappy")
    assert (cheer.text, cheer.image) == ("Here is something to cheer you up:", "https://i.imgur.com/iPa8HCj.jpeg")
    assert helped.text == "Did that help you?"
    assert talk.say("/bot_challenge") == ["I am a bot, powered by Rasa."]
    assert talk.say("/deny") == ["Bye"]
    assert talk.say("/greet") == ["Hey! How are you?"]
    assert talk.say("/mood_great") == ["Great, carry on!"]
    assert talk.say("/goodbye") == ["Bye"]
