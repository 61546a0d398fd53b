"""The restaurants assistant keeps what it promises: formats, numbers, files that agree with one another."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[2] / "assistants" / "restaurants"
CONSTRAINTS = ("food", "area", "pricerange", "atmosphere", "seating")
COLUMNS = (
    *("name", *CONSTRAINTS, "phone", "address", "postcode", "hours"),
    *("parking", "signature", "rating", "description"),
)
DIETS = "suits"
"""The column of the table that lasting preferences look at; nobody asks for it by name."""
REQUESTABLE = tuple(column for column in COLUMNS if column != "name")
SUBINTENT_MINIMUM = 12
MINIMUM = {
    **{
        "inform": 500,
        "request": 250,
        "book": 150,
        "reqalts": 80,
        "dontcare": 90,
        "change": 90,
        "out_of_scope": 220,
    },
    **dict.fromkeys(("affirm", "negate", "deny", "confirm"), 60),
    **dict.fromkeys(("hello", "bye", "thankyou", "ack"), 40),
    **dict.fromkeys(("cancel", "repeat", "restart", "help", "handoff", "complaint"), 30),
}
PLACEHOLDERS = {
    *(
        "name",
        "phone",
        "statement",
        "answer",
        "support",
        "statements",
        "topic",
        "you",
        "phrase",
        *CONSTRAINTS,
        "rating",
        "signature",
        "description",
        "count",
        "constraints",
        "dropped",
        "value",
        "other",
    ),
    *("people", "day", "time", "booking_name", "reference", "hours", "limit"),
}
MARK = re.compile(r"\[([^\[\]]+)\](?:\(([^()]*)\)|(\{[^{}]*\}))")
DAYS = ("today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@cache
def load(name: str) -> Any:
    """One file of the assistant as YAML 1.2."""
    return YAML(typ="safe", pure=True).load((FOLDER / name).read_text(encoding="utf-8"))


@cache
def venues() -> tuple[dict[str, str], ...]:
    """All rows of the table."""
    with (FOLDER / "venues.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def examples() -> dict[str, tuple[str, ...]]:
    """Intent -> its annotated sentences."""
    blocks = [block for block in load("data/nlu.yml")["nlu"] if "intent" in block]
    found = {block["intent"]: tuple(line[2:] for line in block["examples"].splitlines()) for block in blocks}
    assert len(found) == len(blocks), "an intent has two blocks"
    return found


def example_marks() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every (intent, sentence, annotation); the annotation holds text, entity and maybe value and role."""
    for intent, sentences in examples().items():
        for sentence in sentences:
            for text, short, long in MARK.findall(sentence):
                entity, _, value = short.partition(":")
                mark = json.loads(long) if long else {"entity": entity, **({"value": value} if value else {})}
                yield intent, sentence, {"text": text, **mark}


def normalise(sentence: str) -> str:
    """Letters and digits only, without annotations: what makes two sentences the same."""
    return re.sub(r"[^a-z0-9]+", " ", MARK.sub(r"\1", sentence).lower()).strip()


def slot_values(slot: str) -> set[str]:
    return set(load("domain.yml")["slots"][slot]["values"])


def entity_names() -> set[str]:
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in load("domain.yml")["entities"]}


def sentences_in(tree: Any) -> Iterator[str]:
    """All texts of a nested mapping of lists."""
    if isinstance(tree, dict):
        for branch in tree.values():
            yield from sentences_in(branch)
    else:
        yield from tree


def acts() -> list[tuple[str, str | None, str | None]]:
    """Every act of the held-out sentences as (type, slot or id, value)."""
    parts = []
    for sentence in load("validation.yml"):
        for act in sentence["acts"]:
            match = re.fullmatch(r"(\w+)\((?:([\w]+)(?:=(.+))?)?\)", act)
            assert match, f"{sentence['text']!r}: {act!r} is not an act"
            parts.append((match[1], match[2], match[3]))
    return parts


class TestVenues:
    def test_table_is_complete_and_distinct(self) -> None:
        rows = venues()
        assert len(rows) >= 160
        assert tuple(rows[0]) == (*COLUMNS, DIETS)
        assert all(cell and cell.strip() == cell for row in rows for cell in row.values())
        for column in ("name", "address", "postcode", "description"):
            repeated = [text for text, times in Counter(row[column] for row in rows).items() if times > 1]
            assert not repeated, f"{column}: {repeated}"

    @pytest.mark.parametrize("slot", CONSTRAINTS)
    def test_values_are_in_the_domain(self, slot: str) -> None:
        assert {row[slot] for row in venues()} <= slot_values(slot)

    def test_values_are_spread_like_a_town(self) -> None:
        rows = venues()
        foods = Counter(row["food"] for row in rows)
        assert len(foods) >= 30
        assert {"italian", "indian", "chinese", "british"} <= {food for food, _ in foods.most_common(6)}
        places = Counter((row["area"], row["pricerange"]) for row in rows)
        assert len(places) == 15
        assert Counter(row["area"] for row in rows).most_common(1)[0][0] == "centre"
        triples = {(row["food"], row["area"], row["pricerange"]) for row in rows}
        assert ("chinese", "north", "cheap") in triples
        assert len(triples) < len(foods) * 15 / 2

    def test_hours_and_ratings_can_be_read(self) -> None:
        span = r"\d\d:\d\d-\d\d:\d\d"
        day = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
        hours = re.compile(rf"{span}(?: and {span})?(?:, closed {day}(?: and {day})?)?")
        for row in venues():
            assert hours.fullmatch(row["hours"]), f"{row['name']}: {row['hours']}"
            assert 3.1 <= float(row["rating"]) <= 4.9
            assert re.fullmatch(r"[3-4]\.\d", row["rating"])

    def test_texts_read_as_sentences(self) -> None:
        for row in venues():
            assert row["description"].endswith("."), row["name"]
            assert row["description"][0].isupper(), row["name"]
            assert not row["signature"].endswith("."), row["name"]


class TestDomain:
    def test_is_rasa_3_and_has_the_slots(self) -> None:
        domain = load("domain.yml")
        assert domain["version"] == "3.1"
        assert [len(slot_values(slot)) for slot in CONSTRAINTS] == [91, 5, 3, 4, 4]
        for name, slot in domain["slots"].items():
            assert slot["mappings"] == [{"type": "from_entity", "entity": name}]

    def test_every_response_has_variants_and_known_placeholders(self) -> None:
        for name, variants in load("domain.yml")["responses"].items():
            texts = [variant["text"] for variant in variants]
            assert len(set(texts)) == len(texts) >= (2 if "/" in name else 3), name
            for text in texts:
                assert set(re.findall(r"\{(\w*)\}", text)) <= PLACEHOLDERS, f"{name}: {text}"
                assert text.count("{") == text.count("}") == len(re.findall(r"\{\w+\}", text))

    def test_buttons_carry_values_of_the_domain(self) -> None:
        responses, intents = load("domain.yml")["responses"], load("domain.yml")["intents"]
        for slot in ("area", "pricerange", "atmosphere", "seating"):
            payloads = [button["payload"] for button in responses[f"utter_request_{slot}"][0]["buttons"]]
            values = [json.loads(payload.removeprefix("/inform"))[slot] for payload in payloads]
            assert set(values) == slot_values(slot) | {"dontcare"}
            assert len(values) == len(set(values))
        for variants in responses.values():
            for variant in variants:
                for button in variant.get("buttons", ()):
                    match = re.fullmatch(r"/(\w+)(\{.*\})?", button["payload"])
                    assert match
                    assert match[1] in intents
                    assert set(json.loads(match[2] or "{}")) <= entity_names()

    def test_needed_responses_exist(self) -> None:
        responses = set(load("domain.yml")["responses"])
        booking = load("task.yml")["booking"]["slots"]
        needed = {f"utter_{act}_{slot}" for act in ("request", "confirm", "select") for slot in CONSTRAINTS}
        needed |= {f"utter_answer_{column}" for column in COLUMNS} | {f"utter_request_{slot}" for slot in booking}
        needed |= {f"utter_{intent}" for intent in examples() if "/" in intent}
        assert needed <= responses
        assert {name for name in responses if "/" not in name} <= set(load("domain.yml")["actions"])


class TestTask:
    def test_agrees_with_domain_and_table(self) -> None:
        task = load("task.yml")
        assert tuple(task["constraints"]) == CONSTRAINTS
        assert set(task["requestable"]) == set(REQUESTABLE)
        for constraint in task["constraints"].values():
            assert 0 < constraint["prior"] < 1
            assert constraint["phrase"].count("{value}") == 1
        assert set(task["booking"]["slots"]) <= set(load("domain.yml")["slots"])
        for key in ("faq", "user_phrases", "validation"):
            assert (FOLDER / task[key]).is_file()
        assert (FOLDER / task["table"]["file"]).is_file()
        phone = task["handoff_phone"]
        assert all(phone in variant["text"] for variant in load("domain.yml")["responses"]["utter_handoff"])


class TestExamples:
    def test_intents_are_those_of_the_domain(self) -> None:
        assert {intent.split("/")[0] for intent in examples()} == set(load("domain.yml")["intents"])

    def test_there_are_enough(self) -> None:
        counts = {intent: len(sentences) for intent, sentences in examples().items()}
        assert sum(counts.values()) >= 1600
        small = {"chitchat": sum("/" in intent for intent in counts)}
        assert small["chitchat"] >= 14
        for intent, count in counts.items():
            least = SUBINTENT_MINIMUM if "/" in intent else MINIMUM[intent]
            assert count >= least, intent

    def test_no_sentence_has_two_meanings(self) -> None:
        seen: dict[str, str] = {}
        for intent, sentences in examples().items():
            for sentence in sentences:
                plain = MARK.sub(r"\1", sentence)
                assert plain not in seen, f"{plain!r}: {seen[plain]} and {intent}"
                seen[plain] = intent

    def test_annotations_parse_and_are_declared(self) -> None:
        roles = {"denied"}
        for intent, sentence, mark in example_marks():
            assert mark["entity"] in entity_names(), sentence
            assert set(mark) <= {"text", "entity", "value", "role"}, sentence
            assert mark.get("role", "denied") in roles, sentence
            assert intent == "inform" or intent in MINIMUM, sentence
        for sentences in examples().values():
            for sentence in sentences:
                assert not re.search(r"[\[\]{}]", MARK.sub(r"\1", sentence)), sentence

    def test_annotated_values_are_normal_forms(self) -> None:
        names = {row["name"].lower() for row in venues()}
        for _, sentence, mark in example_marks():
            value = mark.get("value", mark["text"])
            match mark["entity"]:
                case "venue":
                    assert value.lower() in names, sentence
                case "attribute":
                    assert value in COLUMNS, sentence
                case "people" if "value" in mark:
                    assert value.isdigit(), sentence
                case "day" if "value" in mark:
                    assert value in DAYS, sentence
                case "time" if "value" in mark:
                    assert CLOCK.fullmatch(value), sentence
                case slot if slot in CONSTRAINTS:
                    assert value in slot_values(slot) | {"dontcare"}, sentence

    def test_every_food_is_taught_and_frequent_ones_more_often(self) -> None:
        marks = [mark for _, _, mark in example_marks() if mark["entity"] == "food"]
        taught = Counter(mark.get("value", mark["text"]) for mark in marks)
        assert slot_values("food") <= set(taught)
        assert min(taught[food] for food in slot_values("food")) >= 3
        assert min(taught["italian"], taught["indian"], taught["chinese"], taught["thai"]) >= 20

    def test_every_attribute_and_denial_is_taught(self) -> None:
        marks = [mark for _, _, mark in example_marks()]
        attributes = {mark.get("value", mark["text"]) for mark in marks if mark["entity"] == "attribute"}
        assert attributes == set(COLUMNS)
        assert {mark["entity"] for mark in marks if mark.get("role") == "denied"} == set(CONSTRAINTS)
        dontcare = {mark["entity"] for mark in marks if mark.get("value") == "dontcare"}
        assert dontcare == set(CONSTRAINTS)

    def test_synonyms_are_unambiguous_and_lookups_and_regexes_work(self) -> None:
        blocks = load("data/nlu.yml")["nlu"]
        owners: dict[str, str] = {}
        for block in blocks:
            for form in [line[2:] for line in block["examples"].splitlines()] if "synonym" in block else ():
                assert owners.setdefault(form, block["synonym"]) == block["synonym"], form
        assert len(owners) > 100
        lookups = {block["lookup"]: block["examples"].splitlines() for block in blocks if "lookup" in block}
        assert {line[2:] for line in lookups["food"]} == slot_values("food")
        assert {line[2:] for line in lookups["venue"]} == {row["name"] for row in venues()}
        patterns = [
            re.compile(line[2:]) for b in blocks if b.get("regex") == "time" for line in b["examples"].splitlines()
        ]
        for text in ("19:30", "at 7pm", "half past eight", "quarter to nine", "noon"):
            assert any(pattern.search(text) for pattern in patterns), text


class TestFaq:
    def test_entries(self) -> None:
        entries = load("faq.yml")
        assert len({entry["id"] for entry in entries}) == len(entries) >= 45
        questions = [normalise(question) for entry in entries for question in entry["questions"]]
        assert len(set(questions)) == len(questions)
        for entry in entries:
            assert len(entry["questions"]) >= 5, entry["id"]
            assert 1 <= len(entry["answer"]) <= 2, entry["id"]

    def test_questions_are_no_examples(self) -> None:
        taught = {normalise(sentence) for sentences in examples().values() for sentence in sentences}
        asked = {normalise(question) for entry in load("faq.yml") for question in entry["questions"]}
        assert not asked & taught


class TestUserPhrases:
    def test_wording_differs_from_the_examples(self) -> None:
        taught = {normalise(sentence) for sentences in examples().values() for sentence in sentences}
        phrases = {key: tree for key, tree in load("user_phrases.yml").items() if not key.endswith("values")}
        assert not {normalise(sentence) for sentence in sentences_in(phrases)} & taught

    def test_everything_can_be_said_in_eight_ways(self) -> None:
        phrases = load("user_phrases.yml")
        booking = load("task.yml")["booking"]["slots"]
        assert set(phrases["inform"]) == {*CONSTRAINTS, *booking}
        assert set(phrases["request"]) == set(REQUESTABLE)
        for act in ("inform_dontcare", "deny", "confirm"):
            assert set(phrases[act]) == set(CONSTRAINTS)
        for act in ("inform", "deny", "confirm"):
            assert all("{value}" in sentence for sentence in sentences_in(phrases[act]))
        flat = ("hello", "affirm", "negate", "reqalts", "book", "bye", "thankyou", "ack", "repeat")
        entries = [phrases[act] for act in flat]
        for act in ("inform", "inform_dontcare", "request", "deny", "confirm"):
            entries += phrases[act].values()
        for entry in entries:
            assert len(set(entry)) == len(entry) >= 8

    def test_values_have_normal_forms(self) -> None:
        values = load("user_phrases.yml")["values"]
        assert set(values["people"]) == {str(number) for number in range(1, 13)}
        assert set(values["day"]) == set(DAYS)
        assert all(CLOCK.fullmatch(time) for time in values["time"])
        assert len(values["booking_name"]) >= 20
        for slot in ("people", "day", "time"):
            for forms in values[slot].values():
                assert len(set(forms)) == len(forms) >= 8
        for slot, forms in load("user_phrases.yml")["constraint_values"].items():
            assert set(forms) <= slot_values(slot)
            assert slot == "food" or set(forms) == slot_values(slot)
            assert all(len(set(ways)) == len(ways) >= 8 for ways in forms.values())


class TestValidation:
    def test_sentences_are_held_out(self) -> None:
        taught = {normalise(sentence) for sentences in examples().values() for sentence in sentences}
        taught |= {normalise(question) for entry in load("faq.yml") for question in entry["questions"]}
        phrases = {key: tree for key, tree in load("user_phrases.yml").items() if not key.endswith("values")}
        taught |= {normalise(sentence) for sentence in sentences_in(phrases)}
        assert not [entry["text"] for entry in load("validation.yml") if normalise(entry["text"]) in taught]

    def test_acts_name_known_things(self) -> None:
        faq = {entry["id"] for entry in load("faq.yml")}
        names = {row["name"] for row in venues()}
        for kind, slot, value in acts():
            if kind == "faq":
                assert slot in faq
            elif kind == "chitchat":
                assert f"chitchat/{slot}" in examples()
            elif kind == "request":
                assert slot in COLUMNS
            elif slot is not None and value is not None:
                assert kind in ("inform", "deny", "confirm")
                legal = {"day": set(DAYS), "venue": names}
                legal |= {name: slot_values(name) | {"dontcare"} for name in CONSTRAINTS}
                assert slot in entity_names()
                assert slot not in legal or value in legal[slot], value
                assert slot != "people" or value.isdigit()
                assert slot != "time" or CLOCK.fullmatch(value)
            else:
                assert slot is None
                assert kind in load("domain.yml")["intents"]

    def test_there_are_enough_of_each_kind(self) -> None:
        entries = load("validation.yml")
        assert len(entries) >= 250
        assert sum(len(entry["acts"]) > 1 for entry in entries) >= 40
        assert sum(entry["acts"] == ["out_of_scope()"] for entry in entries) >= 25
        assert sum(entry["acts"][0].startswith("faq(") for entry in entries) >= 25
        text = (FOLDER / "validation.yml").read_text(encoding="utf-8")
        section = text.split("# Typos and shorthand\n")[1].split("\n# ")[0]
        assert section.count("- text:") >= 40


class TestStories:
    @pytest.mark.parametrize(("kind", "least"), [("stories", 25), ("rules", 8)])
    def test_steps_name_things_of_the_domain(self, kind: str, least: int) -> None:
        domain, content = load("domain.yml"), load(f"data/{kind}.yml")
        assert content["version"] == "3.1"
        title = {"stories": "story", "rules": "rule"}[kind]
        assert len({entry[title] for entry in content[kind]}) == len(content[kind]) >= least
        known = {*domain["actions"], *domain["responses"]}
        for entry in content[kind]:
            assert {"intent", "user"} & set(entry["steps"][0]), entry[title]
            for step in entry["steps"]:
                if "action" in step:
                    assert step["action"] in known, step
                elif "intent" in step:
                    assert step["intent"] in domain["intents"], step
                    _check_entities(step.get("entities", []))
                else:
                    assert set(step) == {"user"}

    def test_the_paths_are_there(self) -> None:
        runs = {
            entry["story"]: [step.get("action") for step in entry["steps"]]
            for entry in load("data/stories.yml")["stories"]
        }
        used = [action for actions in runs.values() for action in actions]
        for action in (
            "action_book",
            "utter_relax",
            "action_alternative",
            "action_faq",
            "utter_handoff",
            "action_answer",
        ):
            assert action in used


def _check_entities(entities: list[dict[str, str]]) -> None:
    for entity in entities:
        for name, value in entity.items():
            assert name in entity_names()
            assert isinstance(value, str), f"{name}: {value!r} is no text in YAML 1.2"
            assert name not in CONSTRAINTS or value in slot_values(name) | {"dontcare"}
            assert name != "venue" or value in {row["name"] for row in venues()}
