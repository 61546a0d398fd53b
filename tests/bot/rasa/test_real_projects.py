"""What projects found in the wild do that ours did not: paths nobody wrote, forms left and taken up, odd files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.assistant_yaml import AssistantError
from bot.rasa.project import ActionStep, UserStep
from bot.rasa.reading.loading import load_project
from bot.rasa.story_policies import story_ensemble
from bot.rasa.story_tests import try_story
from policies.stories.state import LISTEN, History, StoryPrediction
from tests.bot.rasa.projects import write_project
from tests.bot.rasa.talk import Talk

DOMAIN = """
version: "3.1"
intents: [greet, great, sad, "yes", "no", maybe, order, name, stop, inform]
entities: [size]
slots:
  size:
    type: text
    mappings: [{type: from_entity, entity: size, conditions: [{active_loop: size_form}]}]
forms:
  size_form: {required_slots: [size]}
actions: [action_name, action_pay]
responses:
  utter_greet: [{text: Hello}]
  utter_great: [{text: Great}]
  utter_cheer: [{text: Cheer up}]
  utter_help: [{text: Did it help?}]
  utter_bye: [{text: Bye}]
  utter_sure: [{text: Really stop?}]
  utter_ask_size: [{text: Which size?}]
  utter_done: [{text: Done}]
  utter_default: [{text: Pardon?}]
"""

DATA = """
version: "3.1"
rules:
- rule: order
  steps: [intent: order, action: size_form, active_loop: size_form]
- rule: submit
  condition: [active_loop: size_form]
  steps: [action: size_form, active_loop: null, action: utter_done]
stories:
- story: great
  steps: [intent: greet, action: utter_greet, intent: great, action: utter_great]
- story: sad, better
  steps: [intent: greet, action: utter_greet, intent: sad, action: utter_cheer, action: utter_help,
          intent: "yes", action: action_pay]
- story: sad, worse
  steps: [intent: greet, action: utter_greet, intent: sad, action: utter_cheer, action: utter_help,
          intent: "no", action: utter_bye]
- story: maybe
  steps: [intent: great, action: utter_great, intent: maybe, action: utter_sure, action: action_pay]
- story: name
  steps: [intent: name, action: action_name]
- story: stop
  steps: [intent: order, action: size_form, active_loop: size_form, intent: stop, action: utter_sure,
          intent: "yes", action: action_deactivate_loop, active_loop: null]
"""


class Says:
    """A learned policy that always says the same."""

    name = "learned"

    def __init__(self, **probabilities: float) -> None:
        self.probabilities = probabilities

    def predict(self, history: History) -> StoryPrediction:
        return StoryPrediction(self.probabilities, self.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": DATA})


@pytest.mark.parametrize("learned", [None, Says(utter_great=0.25), Says(utter_bye=0.9), Says(action_listen=0.4)])
def test_what_is_always_answered_alike_is_answered_so_anywhere(folder: Path, learned: Says | None) -> None:
    """A moodbot, told 'I am sad' after 'great': no story has that."""
    talk = Talk.with_project(folder, policy=learned)
    talk.say("/greet")
    assert talk.say("/great")[0] == "Great"
    assert talk.say("/sad")[0] == "Cheer up"


def test_an_order_is_not_carried_out_where_nobody_asked(folder: Path) -> None:
    talk = Talk.with_project(folder, policy=Says(action_pay=0.25))
    assert talk.say("/yes") == ["Pardon?"]
    assert talk.say("/maybe") == ["Pardon?"], "nor is it begun"
    assert talk.say("/no")[0] == "Bye"
    assert "action_pay" not in talk.actions()


def test_what_was_learned_may_not_answer_what_no_story_answers_so(folder: Path) -> None:
    """'What is your name?' in a form: it once ended the form without a word."""
    talk = Talk.with_project(folder, policy=Says(action_deactivate_loop=0.9))
    talk.say("/order")
    talk.say("/name")
    assert talk.actions()[-1] == "action_name"
    assert talk.state.active_loop == "size_form"


def test_a_form_goes_on_after_a_question_that_a_story_answers(folder: Path) -> None:
    talk = Talk.with_project(folder, policy=Says(utter_greet=0.6, action_listen=0.55))
    assert talk.say("/order") == ["Which size?"]
    assert talk.say("/greet") == ["Hello", "Which size?"]
    assert talk.say('/inform{"size": "9"}') == ["Done"]
    assert talk.state.slots["size"] == "9"
    assert talk.reread() == talk.state


def test_a_form_that_refused_a_message_reads_the_next_one(folder: Path) -> None:
    talk = Talk.with_project(folder)
    talk.say("/order")
    talk.say("/name")  # its action can't be run: the form was refused and did not ask again
    assert talk.state.loop_rejected
    assert talk.say('/inform{"size": "9"}') == ["Done"]


def test_a_form_does_not_read_the_answer_to_a_storys_question(folder: Path) -> None:
    talk = Talk.with_project(folder, policy=Says(utter_great=0.2))
    talk.say("/order")
    assert talk.say("/stop")[0] == "Really stop?"
    talk.say("/great")  # neither yes nor no: told by no story
    assert "size_form" not in talk.actions()[talk.actions().index("utter_sure") : -1]
    again = Talk.with_project(folder)
    again.say("/order")
    again.say("/stop")
    again.say("/yes")
    assert again.state.active_loop is None


CYCLE = """
version: "3.1"
stories:
- story: begin
  steps: [intent: greet, action: utter_greet, checkpoint: asking]
- story: round
  steps: [checkpoint: asking, intent: "yes", action: utter_help, checkpoint: asking]
- story: other round
  steps: [checkpoint: asking, intent: "no", action: utter_sure, checkpoint: again]
- story: back
  steps: [checkpoint: again, intent: great, action: utter_great, checkpoint: asking]
- story: end
  steps: [checkpoint: asking, intent: stop, action: utter_bye]
"""


def test_cycles_of_checkpoints_are_told_twice(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": CYCLE}))
    told = {tuple(s.intent for s in story.steps if isinstance(s, UserStep)) for story in project.stories}
    assert {("greet", "stop"), ("greet", "yes", "stop"), ("greet", "no", "great", "stop")} <= told
    assert {("greet", "yes", "yes"), ("greet", "yes", "no"), ("greet", "no", "great", "yes")} <= told
    assert all(isinstance(story.steps[-1], ActionStep) for story in project.stories)
    notes = [(n.line, n.what) for n in project.unsupported if "comes back" in n.what]
    assert [line for line, _ in notes] == [7, 11]
    ensemble = story_ensemble(project)
    assert all(try_story(project, story, ensemble, None).correct for story in project.stories)


def test_a_mapping_from_text_needs_no_entity_and_two_mappings_are_two(tmp_path: Path) -> None:
    slots = """
    slots:
      street:
        type: text
        mappings: [{type: from_text, entity: nowhere}]
      town:
        type: text
        mappings: [{type: from_entity, entity: nowhere}, {type: from_text}]
    """
    project = load_project(write_project(tmp_path, {"domain.yml": slots}))
    (note,) = [note for note in project.unsupported if "nowhere" in note.what]
    assert "slot 'town'" in note.what
    assert note.instead.startswith("this mapping never fills it")


def test_listening_twice_needs_a_story(folder: Path) -> None:
    """Silence upon a message is no answer, however sure the network is."""
    assert Talk.with_project(folder, policy=Says(**{LISTEN: 0.9})).say("/inform") == ["Pardon?"]


def test_all_unknown_actions_are_named_at_once(tmp_path: Path) -> None:
    data = """
    stories:
    - story: s
      steps: [intent: greet, action: action_a, action: action_b, action: action_a]
    rules:
    - rule: r
      steps: [intent: sad, action: far_form, active_loop: far_form]
    """
    with pytest.raises(AssistantError) as raised:
        load_project(write_project(tmp_path, {"domain.yml": DOMAIN, "data/all.yml": data}))
    lines = str(raised.value).splitlines()
    assert [line.split("all.yml:")[1].split(".")[0] for line in lines] == [
        "4: the domain has no action 'action_a'",
        "4: the domain has no action 'action_b'",
        "7: the domain has no action 'far_form'",
        "7: the domain has no form 'far_form'",
    ]


def test_what_rasa_overlooks_in_a_domain_is_noted_once(tmp_path: Path) -> None:
    domain = """
    entities: [price: {use_entity_roles_or_groups: true, roles: [from, to]}]
    templates:
      utter_a: [{text: A}]
      utter_b: [{text: B}]
    """
    project = load_project(write_project(tmp_path, {"domain.yml": domain}))
    assert project.domain.entities["price"].roles == ("from", "to")
    assert {"utter_a", "utter_b"} <= set(project.domain.responses)
    assert [(note.line, note.what) for note in project.unsupported] == [
        (2, "the key 'use_entity_roles_or_groups'"),
        (3, "`templates` (format 1)"),
    ]
