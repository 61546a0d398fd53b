"""Broken projects: every complaint names file, line and remedy."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.assistant_yaml import AssistantError
from bot.rasa.reading.loading import load_project
from tests.bot.rasa.projects import DOMAIN, PIZZA, stories, write_project

RULE = 'version: "3.1"\nrules:\n  - rule: r\n    steps:\n'

BROKEN = {
    "an unknown action": (
        {"data/s.yml": stories("intent: greet", "action: utter_helo")},
        r"data/s.yml:6: the domain has no action 'utter_helo'. Did you mean 'utter_hello'\?",
    ),
    "a misspelt intent": (
        {"data/s.yml": stories("intent: gret", "action: utter_hello")},
        r"data/s.yml:5: the domain has no intent 'gret'. Did you mean 'greet'\?",
    ),
    "an unknown form": (
        {"data/s.yml": stories("intent: book", "active_loop: tripform")},
        r"s.yml:6: the domain has no form 'tripform'. Did you mean 'trip_form'\?",
    ),
    "a misspelt slot": (
        {"data/s.yml": stories("slot_was_set: [{seat: 3}]")},
        r"s.yml:5: the domain has no slot 'seat'. Did you mean 'seats'\?",
    ),
    "a misspelt entity": (
        {"data/s.yml": stories("{intent: book, entities: [{cty: Rome}]}")},
        r"s.yml:5: the domain has no entity 'cty'. Did you mean 'city'\?",
    ),
    "an unknown step": ({"data/s.yml": stories("intnt: greet")}, r"s.yml:5: .*Did you mean 'intent'\?"),
    "a story without steps": (
        {"data/s.yml": "stories:\n  - story: s\n    steps: []\n"}, r"s.yml:3: story 's' has no steps. Add"
    ),
    "a checkpoint in a rule": (
        {"data/r.yml": RULE + "      - checkpoint: c\n"}, r"r.yml:5: rule 'r' has a checkpoint. Use stories"
    ),
    "an unknown key in a rule": (
        {"data/r.yml": RULE.replace("steps", "stepps") + "      - intent: greet\n"}, r"r.yml:4: .*Did you mean 'steps'"
    ),
    "a slot without type": (
        {"domain.yml": DOMAIN.replace("    type: float\n", "")}, r"domain.yml:12: slot 'seats' has no type. Add `type:`"
    ),
    "an unknown slot type": ({"domain.yml": DOMAIN.replace("float", "flaot")}, r"yml:13: .*Did you mean 'float'"),
    "an unknown mapping": (
        {"domain.yml": DOMAIN.replace("from_entity", "from_enity")}, r"yml:10: .*Did you mean 'from_entity'\?"
    ),
    "an unknown domain key": (
        {"domain.yml": DOMAIN.replace("responses:", "responces:")}, r"yml:20: unknown key 'responces'. Did you mean"
    ),
    "a form's unknown slot": (
        {"domain.yml": DOMAIN.replace("[city]", "[citi]")}, r"yml:17: form 'trip_form' .*'citi'. Did you mean 'city'\?"
    ),
    "a response that says nothing": (
        {"domain.yml": DOMAIN.replace("text: Hello", "channel: slack")}, r"yml:22: a variant of 'utter_hello' says"
    ),
    "broken YAML": ({"data/s.yml": "stories:\n  - story: [\n"}, r"s.yml:\d: not valid YAML"),
    "a name given twice": (
        {"domain.yml": DOMAIN + "  utter_hello:\n    - text: Hi\n"}, r"domain.yml:23: 'utter_hello' is given twice"
    ),
    "a misspelt file": ({"data/s.yml": "storys:\n  - story: s\n"}, r"s.yml:1: unknown key 'storys'. Did you"),
    "a newer format": ({"data/s.yml": 'version: "4.0"\nnlu: []\n'}, r"s.yml:1: the format is 4.0"),
    "format 1": ({"data/s.yml": 'version: "1.0"\nnlu: []\n'}, r"s.yml:1: .*rasa data migrate"),
    "a broken annotation": (
        {"data/n.yml": 'nlu:\n  - intent: greet\n    examples: |\n      - hi\n      - in [Rome]{"entity": city}\n'},
        r'n.yml:5: \{"entity": city\} after \[Rome\] is not JSON',
    ),
    "a broken regular expression": (
        {"data/n.yml": "nlu:\n  - regex: zip\n    examples: |\n      - (\\d\n"}, r"n.yml:4: .* no regular expression"
    ),
    "broken JSON": (
        {"data/n.json": '{"rasa_nlu_data": {\n"common_examples": [}}'}, r"n.json:2: not valid JSON"
    ),
    "an unset variable": (
        {"config.yml": "language: ${NOBODY_SETS_THIS}\n"}, r"config.yml:1: the environment variable"
    ),
    "misspelt test stories": ({"tests/test_s.yml": "story:\n  - story: s\n"}, r"test_s.yml:1: .*Did you mean"),
    "a pipeline entry without name": ({"config.yml": "pipeline:\n  - nam: X\n"}, r"config.yml:2: 'name' is missing"),
    "no domain": ({"domainn.yml": DOMAIN}, r"domain.yml: the project has no domain"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_with_file_line_and_remedy(name: str, tmp_path: Path) -> None:
    files, message = BROKEN[name]
    write_project(tmp_path, files)
    with pytest.raises(AssistantError) as raised:
        load_project(tmp_path, environment={})
    assert re.search(message, str(raised.value)), str(raised.value)
    assert raised.value.remedy


def test_names_that_only_rasa_warns_of_are_noted(tmp_path: Path) -> None:
    files = {
        "data/s.yml": stories("intent: zoology", "action: utter_hello"),
        "tests/test_s.yml": stories("intent: greet", "action: utter_helo"),
        "tests/test_cases.yml": "test_cases:\n  - test_case: x\n",
        "tests/test_empty.yml": "",
        "data/n.yml": "nlu:\n  - intent: zoology\n    examples: |\n      - a gnu\n      and a cow\n",
    }
    project = load_project(write_project(tmp_path, files))
    assert [(note.file, note.line) for note in project.unsupported] == [
        ("data/n.yml", 5), ("data/s.yml", 5), ("domain.yml", 0), ("tests/test_cases.yml", 0),
        ("tests/test_empty.yml", 0), ("tests/test_s.yml", 6),
    ]  # fmt: skip


PIECES = (
    "",
    "-",
    ": ",
    "  ",
    "\n",
    "x",
    "or:",
    "[",
    "{}",
    "null",
    "- action: ...",
    "steps:",
    "3.5",
    '"',
    "intent: greet",
)


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_project_is_read_or_refused_by_name(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever a line is replaced by, there is a project or an AssistantError, never another exception."""
    name = data.draw(
        st.sampled_from(("domain.yml", "config.yml", "data/stories.yml", "data/rules.yml", "credentials.yml"))
    )
    if not (tmp_path / "data").exists():
        shutil.copytree(PIZZA, tmp_path, dirs_exist_ok=True)
    lines = (PIZZA / name).read_text().split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indent + "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=3)))
    (tmp_path / name).write_text("\n".join(lines))
    with contextlib.suppress(AssistantError):
        assert load_project(tmp_path, environment={}).path == tmp_path
    shutil.copyfile(PIZZA / name, tmp_path / name)
