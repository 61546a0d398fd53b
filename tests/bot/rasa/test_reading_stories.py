"""Stories are written out: every branch of an `or`, every way through checkpoints; rules keep their conditions."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.rasa.nlu.shortcut import Shortcut, read_shortcut
from bot.rasa.project import ActionStep, LoopStep, SlotStep, Step, UserStep
from bot.rasa.reading.annotations import read_annotations
from bot.rasa.reading.files import Notes
from bot.rasa.reading.loading import load_project
from bot.rasa.reading.parts import MAX_VARIANTS, variants
from tests.bot.rasa.projects import stories, write_project

GREET, BOOK, HELLO = UserStep("greet"), UserStep("book"), ActionStep("utter_hello")


def test_all_kinds_of_steps(tmp_path: Path) -> None:
    written = stories(
        "{intent: book, entities: [{city: Rome, role: to}, city]}",
        "action: trip_form",
        "active_loop: trip_form",
        "active_loop: null",
        "slot_was_set: [city, {seats: 3}]",
        "slot_was_set: {seats: null}",
        "bot: All aboard!",
        "{user: '/greet', metadata: {x: 1}}",
        "user: fly me to [the moon](city:moon)",
    )
    project = load_project(write_project(tmp_path, {"data/s.yml": written}))
    (story,) = project.stories
    assert project.domain.e2e_actions == ("All aboard!",)
    first, *middle, shortcut, said = story.steps
    assert isinstance(first, UserStep)
    assert [(e.entity, e.value, e.role) for e in first.entities] == [("city", "Rome", "to"), ("city", None, None)]
    assert middle == [
        ActionStep("trip_form"), LoopStep("trip_form"), LoopStep(None), SlotStep("city", any_value=True),
        SlotStep("seats", 3), SlotStep("seats", None), ActionStep(None, "All aboard!"),
    ]  # fmt: skip
    assert shortcut == UserStep("greet", text="/greet")
    assert isinstance(said, UserStep)
    assert (said.intent, said.text, said.entities[0].value) == (None, "fly me to the moon", "moon")


def test_a_rule_keeps_its_condition_start_and_waiting(tmp_path: Path) -> None:
    rules = """
        rules:
          - rule: first
            conversation_start: true
            wait_for_user_input: false
            steps: [{intent: greet}, {action: utter_hello}]
          - rule: second
            condition:
              - active_loop: null
              - slot_was_set: [{seats: 2}]
            steps: ["...", {action: action_book}, {or: [{intent: greet}, {intent: book}]}, {action: utter_hello}, "..."]
        """
    first, *second = load_project(write_project(tmp_path, {"data/r.yml": rules})).rules
    assert (first.conversation_start, first.waits, first.starts_anywhere, first.line) == (True, False, False, 3)
    assert [rule.steps for rule in second] == [(ActionStep("action_book"), said, HELLO) for said in (GREET, BOOK)]
    assert all(rule.starts_anywhere and not rule.waits for rule in second)
    assert second[0].condition == (LoopStep(None), SlotStep("seats", 2))


def test_checkpoints_join_in_every_way_that_their_slots_allow(tmp_path: Path) -> None:
    written = """
        stories:
          - story: ends
            steps: [{checkpoint: asked, slot_was_set: [{seats: 2}]}, {intent: deny}, {action: action_book}]
          - story: a
            steps: [{intent: greet}, {slot_was_set: [{seats: 2}]}, {checkpoint: asked}]
          - story: b
            steps: [{intent: book}, {checkpoint: asked}]
          - story: middle
            steps: [{checkpoint: asked}, {action: utter_hello}, {checkpoint: later}, {intent: greet}]
          - story: nowhere
            steps: [{checkpoint: askd}, {intent: greet}]
        """
    project = load_project(write_project(tmp_path, {"data/s.yml": written}))
    two, deny = SlotStep("seats", 2), UserStep("deny")
    assert {(story.name, story.steps) for story in project.stories} == {
        ("a / ends", (GREET, two, deny, ActionStep("action_book"))),
        ("a / middle", (GREET, two, HELLO, GREET)),
        ("b / middle", (BOOK, HELLO, GREET)),
    }
    (note,) = project.unsupported
    assert (note.line, note.what) == (12, "no story reaches checkpoint 'askd'")
    assert "Did you mean 'asked'?" in note.instead


@given(st.lists(st.integers(1, 5), min_size=1, max_size=9))
def test_every_branch_is_used_and_the_number_is_bounded(sizes: list[int]) -> None:
    body = tuple(tuple((SlotStep(f"s{i}", k),) for k in range(size)) for i, size in enumerate(sizes))
    notes = Notes(Path())
    ways: list[tuple[Step, ...]] = variants(body, "s", "s.yml", 1, notes)
    assert len(ways) == len(set(ways)) <= MAX_VARIANTS
    assert {step for way in ways for step in way} == {step for entry in body for (step,) in entry}
    assert all(len(way) == len(sizes) for way in ways)


WORDS = st.text("abc [](){}:é😀", max_size=12)


@given(st.lists(st.tuples(WORDS, st.text("abc é😀", min_size=1, max_size=8), st.sampled_from(["", "two", "(x"]))))
def test_annotations_are_spans_of_the_sentence_without_markup(parts: list[tuple[str, str, str]]) -> None:
    plain = [(before.replace("[", "").replace("]", ""), words, role) for before, words, role in parts]
    marked = "".join(
        before + (f'[{words}]{{"entity": "e", "role": "{role}"}}' if role == "two" else f"[{words}](e)")
        for before, words, role in plain
    )
    text, entities = read_annotations(marked)
    assert text == "".join(before + words for before, words, _ in plain)
    assert [(text[e.start : e.end], e.role) for e in entities] == [(w, r if r == "two" else None) for _, w, r in plain]


def test_shortcuts() -> None:
    assert read_shortcut(' /book@0.8{"city": ["Rome", 7]} ') == Shortcut(
        "book", 0.8, (("city", "Rome"), ("city", 7)), 10, 31
    )
    assert read_shortcut("/faq/hours") == Shortcut("faq/hours")
    assert read_shortcut("/book@7") == Shortcut("book", 1.0)
    for text in (
        "/book" + " " * 20_000 + "{",
        '/book{"a": NaN}',
        '/book{"a": [1e999]}',
        "book",
        "/",
        '/book{"city"}',
        '/book{"a": ' + "[" * 5000 + "}",
        "/book{" + '"a":1,' * 3 + "}",
    ):
        assert read_shortcut(text) is None
