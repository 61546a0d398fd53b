"""Loading an assistant: what is read, and one clear error for every way its files can be broken."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant import Assistant, AssistantError, load_assistant
from bot.assistant_examples import parse_markup
from bot.assistant_task import parse_system_act
from bot.assistant_yaml import read_yaml
from memory.dialogue import SystemAct

ROOT = Path(__file__).parents[2]
RESTAURANTS = ROOT / "assistants" / "restaurants"


def test_the_restaurants_are_read(assistant: Assistant) -> None:
    ontology = assistant.ontology
    assert ontology.slots == ("food", "area", "pricerange", "atmosphere", "seating")
    assert ontology.open_slots == ("people", "day", "time", "booking_name")
    assert len(ontology.constraints["food"]) == 91
    assert assistant.key_entity == "venue"
    assert len(assistant.examples) > 1600
    assert len(assistant.responses["utter_offer"]) >= 3
    assert any(v.buttons for v in assistant.responses["utter_request_area"])
    assert assistant.faq
    assert assistant.stories
    assert assistant.rules
    assert assistant.user_phrases
    after = {h.after.kind for h in assistant.validation if h.after is not None}
    assert {"request", "request_open", "confirm"} <= after


def test_every_example_entity_covers_its_words(assistant: Assistant) -> None:
    for example in assistant.examples:
        assert "[" not in example.text or "](" not in example.text
        for entity in example.entities:
            assert 0 <= entity.start < entity.end <= len(example.text)


def test_markup_in_all_its_forms() -> None:
    plain, found = parse_markup(
        '[cheap](pricerange) [nice](atmosphere:quiet) not [thai]{"entity": "food", "role": "denied", "value": "thai"}'
    )
    assert plain == "cheap nice not thai"
    assert [(f["entity"], f["value"], f["role"], plain[f["start"] : f["end"]]) for f in found] == [
        ("pricerange", "cheap", None, "cheap"),
        ("atmosphere", "quiet", None, "nice"),
        ("food", "thai", "denied", "thai"),
    ]


@given(st.lists(st.tuples(st.text("abc ", min_size=1), st.text("xyz", min_size=1), st.text("abc ")), max_size=5))
def test_markup_gives_the_text_back(parts: list[tuple[str, str, str]]) -> None:
    text = "".join(f"{before}[{word}](food){after}" for before, word, after in parts)
    plain, found = parse_markup(text)
    assert plain == "".join(before + word + after for before, word, after in parts)
    assert [plain[f["start"] : f["end"]] for f in found] == [word for _, word, _ in parts]


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("a: yes\nb: on\nc: 012\nd: 1_000\ne: true\nf:\ng: 0x1f\nh: 1.5\ni: 12:30\n")
    assert read_yaml(file, needed_for="a test") == {
        "a": "yes", "b": "on", "c": 12, "d": 1000, "e": True, "f": None, "g": 31, "h": 1.5, "i": "12:30",
    }  # fmt: skip


def test_system_acts_in_words() -> None:
    assert parse_system_act("confirm(food=thai)") == SystemAct("confirm", "food", "thai")
    assert parse_system_act("select(food=thai,food=chinese)") == SystemAct("select", "food", "thai", "chinese")
    assert parse_system_act("request(time)", ("time",)) == SystemAct("request_open", "time")
    assert parse_system_act("nonsense") is None
    assert parse_system_act("dance()") is None


Breakage = Callable[[Path], None]


def edit(name: str, pattern: str, replacement: str) -> Breakage:
    """Replace the first match of a regular expression in one file."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        changed, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
        assert count == 1, f"{pattern!r} does not occur in {name}"
        (folder / name).write_text(changed, encoding="utf-8")

    return change


def append(name: str, text: str) -> Breakage:
    """Add lines at the end of one file."""

    def change(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return change


def remove(name: str) -> Breakage:
    return lambda folder: (folder / name).unlink()


def overwrite(name: str, content: bytes) -> Breakage:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


BROKEN: list[tuple[Breakage, str, str]] = [
    (remove("domain.yml"), "domain.yml", "missing"),
    (remove("task.yml"), "task.yml", "missing"),
    (remove("venues.csv"), "venues.csv", "missing"),
    (remove("faq.yml"), "faq.yml", "missing"),
    (remove("validation.yml"), "validation.yml", "missing"),
    (remove("user_phrases.yml"), "user_phrases.yml", "missing"),
    (overwrite("domain.yml", b"intents: [a\nb: }"), "domain.yml:", "not valid YAML"),
    (overwrite("domain.yml", b"- a\n- b\n"), "domain.yml:1", "expected a mapping"),
    (overwrite("domain.yml", b""), "domain.yml:1", "empty"),
    (overwrite("domain.yml", b"a: \xff\xfe\n"), "domain.yml:1", "not UTF-8"),
    (overwrite("task.yml", b"a: \x00\n"), "task.yml", "not valid YAML"),
    (overwrite("task.yml", b"a: &x [*x]\n"), "task.yml:", "contains itself"),
    (overwrite("task.yml", b"a: " + b"[" * 5000), "task.yml", "YAML"),
    (edit("domain.yml", "^intents:", "intent:"), "domain.yml:", "Did you mean 'intents'?"),
    (edit("domain.yml", "^slots:", "slots: 3\nx:"), "domain.yml:", "unknown key 'x'"),
    (edit("domain.yml", "type: categorical", "type: categoric"), "domain.yml:", "Did you mean 'categorical'?"),
    (edit("domain.yml", "^  utter_hello:", "  utter_helo:"), "domain.yml:", "Did you mean 'utter_helo'?"),
    (edit("domain.yml", "^  utter_bye:\n(    .*\n)+", "  utter_bye: []\n"), "domain.yml:", "no variants"),
    (edit("domain.yml", r"^    - text: ", "    - texte: "), "domain.yml:", "Did you mean 'text'?"),
    (edit("domain.yml", r"\{name\}", "{name"), "domain.yml:", "placeholder"),
    (edit("domain.yml", "^  - hello$", "  - hello\n  - hello"), "domain.yml:", "listed twice"),
    (edit("domain.yml", "^  - hello$", "  - [hello]"), "domain.yml:", "must be names"),
    (edit("task.yml", "^requestable:", "requestables:"), "task.yml:", "Did you mean 'requestable'?"),
    (edit("task.yml", r"requestable: \[phone", "requestable: [phnoe"), "venues.csv:1", "Did you mean 'phone'?"),
    (edit("task.yml", "prior: 0.85", "prior: 1.85"), "task.yml:", "probability"),
    (edit("task.yml", "prior: 0.85", "prior: often"), "task.yml:", "expected a number"),
    (edit("task.yml", "^  food:", "  foood:"), "task.yml:", "Did you mean 'food'?"),
    (edit("task.yml", r"slots: \[people", "slots: [peeple"), "task.yml:", "Did you mean 'people'?"),
    (edit("task.yml", "key: name", "key: names"), "venues.csv:1", "Did you mean 'name'?"),
    (edit("task.yml", r"^requestable: .*$", "requestable: [phone, phone]"), "task.yml", "twice"),
    (edit("task.yml", "^name: ", "name: &n\nname: "), "task.yml:", "given twice"),
    (edit("venues.csv", ",(cheap|moderate|expensive),", ",cheep,"), "venues.csv:2", "Did you mean 'cheap'?"),
    (append("venues.csv", "only,three,cells\n"), "venues.csv:", "3 cells"),
    (append("venues.csv", 'a,"open quote,b\n'), "venues.csv:", "CSV"),
    (overwrite("venues.csv", b"name,food\n"), "venues.csv", "no rows"),
    (edit("data/nlu.yml", "^  - intent: hello$", "  - intent: helo"), "nlu.yml:", "Did you mean 'hello'?"),
    (edit("data/nlu.yml", r"\]\(pricerange\)", "](pricrange)"), "nlu.yml:", "Did you mean 'pricerange'?"),
    (edit("data/nlu.yml", r"\]\(pricerange\)", "](pricerange"), "nlu.yml:", "not closed"),
    (edit("data/nlu.yml", '"role": "denied"', '"role": "refused"'), "nlu.yml:", "no role 'refused'"),
    (edit("data/nlu.yml", '"role": "denied"', '"rolle": "denied"'), "nlu.yml:", "Did you mean 'role'?"),
    (edit("data/nlu.yml", '"role": "denied"', '"role": denied'), "nlu.yml:", "not JSON"),
    (edit("data/nlu.yml", "^      - hi$", "      hi"), "nlu.yml:", "must start with"),
    (append("data/nlu.yml", "\n  - regex: time\n    examples: |\n      - (7\n"), "nlu.yml:", "regular expression"),
    (append("data/nlu.yml", "\n  - intentt: hello\n    examples: |\n      - x\n"), "nlu.yml:", "Did you mean"),
    (append("data/nlu.yml", "\nsomething: 1\n"), "nlu.yml:", "unknown key"),
    (append("data/stories.yml", "  - stori: x\n    steps: []\n"), "stories.yml:", "has no name"),
    (append("faq.yml", "\n- id: dogs\n  questions: [x]\n  answer: y\n"), "faq.yml:", "listed twice"),
    (append("faq.yml", "\n- id: new\n  questions: []\n  answer: y\n"), "faq.yml:", "needs questions"),
    (append("faq.yml", "\n- id: new\n  question: [x]\n  answer: y\n"), "faq.yml:", "Did you mean 'questions'?"),
    (append("validation.yml", '\n- text: x\n  acts: ["inform food"]\n'), "validation.yml:", "not a dialogue act"),
    (append("validation.yml", '\n- text: x\n  acts: ["infrom(food=thai)"]\n'), "validation.yml:", "'inform'?"),
    (
        append("validation.yml", '\n- text: x\n  acts: ["inform(fod=thai)"]\n'),
        "validation.yml:",
        "Did you mean 'food'?",
    ),
    (append("validation.yml", "\n- text: x\n  after: dance()\n  acts: []\n"), "validation.yml:", "system act"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RESTAURANTS, tmp_path / "restaurants"))


@pytest.mark.parametrize(("damage", "where", "what"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_assistant_says_where_and_what_to_do(folder: Path, damage: Breakage, where: str, what: str) -> None:
    damage(folder)
    with pytest.raises(AssistantError) as caught:
        load_assistant(folder)
    message = str(caught.value)
    assert where in message, message
    assert what in message, message
    assert "\n" not in message
    assert caught.value.remedy


def test_there_are_enough_ways_to_break_it() -> None:
    assert len(BROKEN) >= 20


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AssistantError, match="no such folder"):
        load_assistant(tmp_path / "nowhere")


def test_an_assistant_without_sentences(folder: Path) -> None:
    for file in (folder / "data").glob("*.yml"):
        file.unlink()
    with pytest.raises(AssistantError, match="no training sentences"):
        load_assistant(folder)
