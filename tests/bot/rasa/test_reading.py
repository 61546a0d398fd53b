"""Whole projects are read as Rasa reads them; what is done otherwise is named."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from bot.assistant_yaml import AssistantError
from bot.rasa.project import ActionStep, Condition, LoopStep, ResponseVariant, SlotMapping, StoryEntity, UserStep
from bot.rasa.reading.loading import is_rasa_project, load_project, require_environment
from bot.rasa.reading.nlu import read_nlu_file
from tests.bot.rasa.projects import DOMAIN, PIZZA, write_project


def test_the_pizza_project_is_read_completely() -> None:
    project = load_project(PIZZA, environment={"PIZZA_SLACK_TOKEN": "xoxb", "PIZZA_SLACK_SECRET": "s"})
    domain = project.domain
    assert (project.assistant_id, project.language, len(project.nlu.examples)) == ("pizza_bot", "en", 62)
    assert domain.intents["ride"].entities == frozenset({"city"})
    assert domain.intents["greet"].entities is None
    assert domain.entities["city"].roles == ("from", "to")
    assert domain.slots["address"].mappings == (
        SlotMapping("from_text", not_intents=("stop",), conditions=(Condition("pizza_form", "address"),)),
    )
    assert domain.slots["size"].values == ("small", "large")
    assert domain.forms["pizza_form"].required_slots == ("topping", "size", "address")
    assert domain.responses["utter_ordered"][0].conditions == (("size", "large"),)
    assert domain.responses["utter_cheer"] == (ResponseVariant(None, {"custom": {"kind": "confetti", "amount": 3}}),)
    assert "utter_faq" in domain.actions
    assert "utter_faq/hours" not in domain.actions
    assert project.nlu.synonyms["big"] == project.nlu.synonyms["huge"] == "large"
    assert project.credentials["slack"]["slack_token"] == "xoxb"
    assert {note.what for note in project.unsupported} == {
        "WhitespaceTokenizer", "RegexFeaturizer", "CountVectorsFeaturizer", "DIETClassifier", "TEDPolicy",
    }  # fmt: skip
    assert json.loads(json.dumps(domain.raw))["intents"][0] == "affirm"
    require_environment(project)


def test_its_stories_are_linear_and_its_tests_annotated() -> None:
    project = load_project(PIZZA)
    names = [story.name for story in project.stories]
    assert names.count("greeting, then an order") == 2
    assert "a ride / a ride and thanks" in names
    order = next(rule for rule in project.rules if rule.name == "The order is complete")
    assert order.starts_anywhere
    assert order.condition == (LoopStep("pizza_form"),)
    ride = project.tests[-1].steps[0]
    assert isinstance(ride, UserStep)
    assert ride.text == "take me from Rome to Naples"
    assert ride.entities == (StoryEntity("city", "Rome", role="from"), StoryEntity("city", "Naples", role="to"))


def test_a_secret_that_is_not_set_is_refused_before_serving() -> None:
    project = load_project(PIZZA, environment={"PIZZA_SLACK_TOKEN": "xoxb"})
    with pytest.raises(AssistantError, match=r"credentials.yml:10: the environment variable PIZZA_SLACK_SECRET"):
        require_environment(project)


def test_a_split_domain_and_mixed_files_are_one_project(tmp_path: Path) -> None:
    head, tail = DOMAIN.split("forms:")
    write_project(
        tmp_path,
        {
            "domain/one.yml": head,
            "domain/two/rest.yml": 'version: "3.1"\nforms:' + tail,
            "data/all.yml": """
                version: "3.1"
                nlu:
                  - intent: greet
                    examples: |
                      - hi
                stories:
                  - story: s
                    steps: [{intent: greet}, {action: utter_more}]
                rules:
                  - rule: r
                    steps: [{intent: deny}, {action: utter_hello}]
                responses:
                  utter_more: [{text: "Go on, ${NAME}"}]
                """,
            "data/notes.yml": "author: me\n",
        },
    )
    project = load_project(tmp_path, environment={"NAME": "Ann"})
    assert is_rasa_project(tmp_path)
    assert project.domain.actions == ("action_book", "utter_hello", "utter_more")
    assert project.domain.responses["utter_more"][0].text == "Go on, Ann"
    assert (len(project.stories), len(project.rules), len(project.nlu.examples)) == (1, 1, 1)
    assert [note.file for note in project.unsupported] == ["data/notes.yml"]
    assert set(project.domain.raw["responses"]) == {"utter_hello", "utter_more"}


def test_the_fingerprint_follows_what_training_reads(tmp_path: Path) -> None:
    rule = "rules:\n  - rule: r\n    steps: [{intent: greet}, {action: utter_hello}]\n"
    write_project(tmp_path, {"data/rules.yml": rule, "endpoints.yml": "nlg:\n  url: x\n"})
    before = load_project(tmp_path).fingerprint
    (tmp_path / "endpoints.yml").write_text("nlg:\n  url: y\n")
    assert load_project(tmp_path).fingerprint == before
    (tmp_path / "data" / "rules.yml").write_text(rule.replace("greet", "deny"))
    assert load_project(tmp_path).fingerprint != before


def test_format_2_is_read_where_it_can_be(tmp_path: Path) -> None:
    domain = """
        version: "2.0"
        intents: [inform, {stop: {use_entities: []}}]
        entities: [city, when]
        slots:
          city: {type: text}
          when: {type: unfeaturized}
          note: {type: text, influence_conversation: false}
        forms:
          trip_form:
            city:
              - {type: from_entity, entity: city}
            note:
              - {type: from_text, not_intent: stop}
        responses:
          utter_hello: [{text: Hi}]
        """
    steps = """
        version: "2.0"
        rules:
          - rule: r
            steps: [{intent: inform}, {action: trip_form}, {form: trip_form}, {action: action_deactivate_form}]
        """
    project = load_project(write_project(tmp_path, {"domain.yml": domain, "data/r.yml": steps}))
    slots = project.domain.slots
    assert project.domain.forms["trip_form"].required_slots == ("city", "note")
    assert slots["city"].mappings == (SlotMapping("from_entity", "city", conditions=(Condition("trip_form"),)),)
    assert slots["note"].mappings[0].conditions == (Condition("trip_form", "note"),)
    assert (slots["when"].type, slots["when"].mappings) == ("any", (SlotMapping("from_entity", "when"),))
    assert project.domain.intents["stop"].entities == frozenset()
    assert project.rules[0].steps[1:] == (
        ActionStep("trip_form"), LoopStep("trip_form"), ActionStep("action_deactivate_loop"),
    )  # fmt: skip
    assert project.domain.raw["forms"]["trip_form"] == {"required_slots": ["city", "note"]}
    assert sum("format 2" in note.what for note in project.unsupported) == 5


def test_the_financial_demo_is_read(tmp_path: Path) -> None:
    source = Path(os.environ.get("REJOINDER_DATA", "nowhere")) / "rasa_examples" / "financial-demo"
    if not source.is_dir():
        pytest.skip("REJOINDER_DATA names no folder that holds rasa_examples/financial-demo")
    for path in (path for path in source.rglob("*") if path.is_file()):
        target = tmp_path / path.relative_to(source).with_suffix("" if path.suffix == ".xz" else path.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes())
    project = load_project(tmp_path)
    assert {"cc_payment_form", "transfer_money_form"} <= set(project.domain.forms)
    assert min(len(project.stories), len(project.rules), len(project.tests)) >= 10
    assert len(project.nlu.examples) > 200


def test_published_projects_are_read() -> None:
    data = os.environ.get("REJOINDER_DATA")
    if data is None:
        pytest.skip("set REJOINDER_DATA to the folder that holds rasa_examples")
    examples = Path(data) / "rasa_examples"
    moodbot, rules = (load_project(examples / "projects" / name) for name in ("moodbot", "rules"))
    assert (len(moodbot.stories), len(moodbot.rules), len(moodbot.nlu.examples)) == (3, 2, 67)
    assert [rule.waits for rule in rules.rules].count(False) == 2
    assert rules.rules[0].conversation_start
    found = [read_nlu_file(path) for path in sorted((examples / "NLU-training-data").glob("*/nlu.yml"))]
    assert len(found) == 9
    assert sum(len(nlu.examples) for nlu in found) == 1164
