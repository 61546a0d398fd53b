"""A story memory: words and names, its network, what is exported, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memory.dnc.babi import Question, Story
from memory.dnc.encoding import collate, encode
from memory.dnc.export import export_memory
from memory.dnc.reader import (
    MANIFEST_FILE,
    SHIPPED,
    WRITE_FILE,
    Calibration,
    MemoryModelError,
    StoryMemory,
    names_in_use,
    same_answer,
)
from memory.dnc.stories import generate
from memory.dnc.story_model import StoryModel, StorySettings
from memory.dnc.training import MemoryTraining, evaluate, forward, train_memory
from memory.dnc.words import Names, babi_lexicon

LEXICON = babi_lexicon()
SMALL = StorySettings(lexicon=len(LEXICON), relation=32, hops=2, key_size=8)

STORY = Story(
    2,
    (
        "Mary got the football.",
        "Mary went to the kitchen.",
        Question("Where is the football?", ("kitchen",), (0, 1)),
        "John moved to the garden.",
        Question("Where is John?", ("garden",), (2,)),
    ),
)


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("The triangle is above the pink rectangle.", ["triangle", "is", "above", "pink rectangle"]),
        ("The box of chocolates fits in the chest", ["box of chocolate", "fits", "in", "chest"]),
        ("Wolves are afraid of mice.", ["wolf", "are", "afraid", "of", "mouse"]),
        ("Where's Priya's umbrella?", ["where", "is", "priya's umbrella"]),
        ("Tom's in the garden.", ["tom", "is", "in", "garden"]),
        ("John gave Mary the milk.", ["john", "gave", "mary", "milk"]),
        ("John got milk, bread and the apples at 9:30", ["john", "got", "milk", "bread", "and", "apple at 9:30"]),
        ("Zoë left my sisters glasses", ["zoë", "left", "my", "sister's glass"]),
        (" , the a ", []),
        ("On Friday John went to the garden", ["on", "friday", "john", "went", "to", "garden"]),
        ("", []),
    ],
)
def test_sentences_are_closed_class_words_and_names(sentence: str, parts: list[str]) -> None:
    assert LEXICON.parts(sentence) == parts


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("the blue bag", "the bag", True),
        ("the bag", "the blue bag", False),
        ("my sister's phone", "my phone", False),
        ("my sister's phone", "my sister's phones", True),
        ("my brother Tom", "Tom", True),
        ("my brother Tom", "my brother", True),
        ("Tom", "my brother Tom", True),
        ("my brother", "my brother Tom", True),
        ("the box of chocolates", "the chocolates", False),
        ("the key", "the keys", True),
    ],
)
def test_one_thing_may_have_several_names(first: str, second: str, *, same: bool) -> None:
    names = Names(LEXICON, 48)
    one, two = (names.encode(text, 16)[-1] for text in (first, second))
    assert (one == two) is same
    assert names.count == 2 - same


@given(st.lists(st.text(max_size=60), max_size=30))
def test_whatever_is_said_gives_at_most_as_many_names_as_there_is_room_for(said: list[str]) -> None:
    names = Names(LEXICON, 5)
    for sentence in said:
        assert all(0 < index < len(LEXICON) + 5 for index in names.encode(sentence, 16))
    assert names.count <= 5
    assert len(names.meanings()) == 5


def encoded(story: Story = STORY) -> list:
    return [encode(story, LEXICON, SMALL.identities, SMALL.length, SMALL.slots)]


def test_a_question_sees_nothing_that_was_said_after_it() -> None:
    torch.manual_seed(0)
    model = StoryModel(SMALL).eval()
    shorter = Story(2, STORY.lines[:3])
    rng = np.random.default_rng
    whole, _ = forward(model, collate(encoded(), len(LEXICON), rng(0)))
    alone, _ = forward(model, collate(encoded(shorter), len(LEXICON), rng(0)))
    torch.testing.assert_close(whole[:1].softmax(-1), alone.softmax(-1), atol=1e-5, rtol=1e-4)


def test_padding_beside_a_longer_story_changes_nothing() -> None:
    torch.manual_seed(1)
    model = StoryModel(SMALL).eval()
    long = next(generate(1, 1, seed=3))
    mixed = collate([*encoded(), *encoded(long)], len(LEXICON), np.random.default_rng(5))
    alone = collate(encoded(), len(LEXICON), np.random.default_rng(5))
    torch.testing.assert_close(forward(model, mixed)[0][:2], forward(model, alone)[0], atol=1e-4, rtol=1e-4)


def test_reads_are_weights_that_sum_to_at_most_one() -> None:
    torch.manual_seed(2)
    _, read = forward(StoryModel(SMALL), collate(encoded(), len(LEXICON), np.random.default_rng(0)))
    assert (read >= 0).all()
    assert (read.sum(-1) <= 1 + 1e-5).all()
    assert read[0, :, :, 2:].abs().max() == 0


def test_it_learns_who_is_where_in_seconds_whatever_the_names() -> None:
    stories = [encode(s, LEXICON, SMALL.identities, SMALL.length, SMALL.slots) for s in generate(1, 300, seed=1)]
    torch.manual_seed(0)
    model = StoryModel(SMALL)
    before = evaluate(model, stories[:40])[1]
    train_memory(model, {1: stories[40:]}, MemoryTraining(steps=150, budget=400, warmup=20), lambda _: None)
    assert evaluate(model, stories[:40])[1] < 0.1 < before


def test_the_exported_memory_answers_as_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = StoryModel(SMALL).eval()
    export_memory(model, LEXICON, tmp_path, {})
    memory = StoryMemory.load(tmp_path)
    memory.calibration = Calibration(threshold=0.0)

    class Unshuffled:
        def permutation(self, count: int) -> np.ndarray:
            return np.arange(count)

        def random(self) -> float:
            return 1.0

    logits, _ = forward(model, collate(encoded(), len(LEXICON), Unshuffled()))
    state = memory.empty()
    for statement in STORY.statements[:2]:
        state = memory.write(state, statement)
    answer = memory.ask(state, STORY.questions[0].text)
    chances = logits[0].softmax(-1).max(-1).values
    assert any(answer.confidence == pytest.approx(chances[:n].prod().item(), rel=1e-3) for n in (1, 2, 3))


def test_a_damaged_memory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MemoryModelError, match=r"manifest\.json: no such file.*rejoinder train memory"):
        StoryMemory.load(tmp_path)
    torch.manual_seed(4)
    model = StoryModel(SMALL)
    export_memory(model, LEXICON, tmp_path, {})
    (tmp_path / WRITE_FILE).write_bytes(b"broken")
    with pytest.raises(MemoryModelError, match=r"write\.onnx: sha256 differs"):
        StoryMemory.load(tmp_path)
    with torch.no_grad():
        model.writer.norm.weight.fill_(float("nan"))
    export_memory(model, LEXICON, tmp_path, {})
    with pytest.raises(MemoryModelError, match=r"write\.onnx: the network's output is not finite"):
        StoryMemory.load(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(MemoryModelError, match="format 99"):
        StoryMemory.load(tmp_path)


@pytest.fixture(scope="module")
def shipped() -> StoryMemory:
    return StoryMemory.load(SHIPPED)


def told(memory: StoryMemory, *statements: str):
    state = memory.empty()
    for statement in statements:
        state = memory.write(state, statement)
    return state


def test_the_shipped_memory_reasons_about_names_it_never_saw(shipped: StoryMemory) -> None:
    state = told(
        shipped, "Priya went to the pharmacy.", "Priya picked up the umbrella there.", "Tom is in the attic.",
        "Priya travelled to the harbour.",
    )  # fmt: skip
    answer = shipped.ask(state, "Where is the umbrella?")
    assert answer.text == "harbour"
    assert answer.confidence > 0.9
    assert {"Priya picked up the umbrella there.", "Priya travelled to the harbour."} <= set(answer.supporting)
    assert shipped.ask(state, "Is Tom in the attic?").text == "yes"
    assert shipped.ask(state, "Where was the umbrella before the harbour?").text == "pharmacy"
    assert shipped.ask(state, "How many objects is Priya carrying?").text == "one"


def test_the_shipped_memory_remembers_what_a_person_told_it(shipped: StoryMemory) -> None:
    state = told(
        shipped, "I left the passport in the drawer.", "Then I took it to the office.",
        "I'll be at the dentist on Friday.",
        "Priya is my sister.", "Priya lives in Leeds.", "Remember that I'm allergic to nuts",
    )  # fmt: skip
    for question, answer in (
        ("Where is my passport?", "office"),
        ("where did I say I'd be on Friday?", "dentist"),
        ("Where does Priya live?", "Leeds"),
        ("Who is my sister?", "Priya"),
        ("What am I allergic to?", "nuts"),
        ("Where is my umbrella?", None),
        ("Where will I be on Monday?", None),
    ):
        assert shipped.ask(state, question).text == answer, question


def test_the_shipped_memory_says_when_it_does_not_know(shipped: StoryMemory) -> None:
    assert shipped.ask(shipped.empty(), "Where is Mary?").text is None
    assert shipped.ask(told(shipped, "Tom is in the attic."), "Where is Priya?").text is None
    assert shipped.ask(told(shipped, "Tom is in the attic."), "").text is None


@pytest.mark.parametrize("task", range(1, 21))
def test_the_shipped_memory_answers_generated_stories(shipped: StoryMemory, task: int) -> None:
    wrong = asked = 0
    for story in generate(task, 12, seed=77):
        state = shipped.empty()
        for line in story.lines:
            if isinstance(line, Question):
                asked += 1
                wrong += not same_answer(shipped.ask(state, line.text).text, line.answer)
            else:
                state = shipped.write(state, line)
    assert wrong <= max(1, 0.15 * asked)


def test_ten_thousand_sentences_stay_within_bounds(shipped: StoryMemory) -> None:
    memory = StoryMemory.load(SHIPPED, rows=32)
    state = memory.empty()
    for number in range(600):
        state = memory.write(state, f"Person{number} went to the place{number}.")
    assert len(state.statements) <= 32
    assert state.written == 600
    assert names_in_use(state) <= memory.settings["identities"]
    assert memory.ask(state, "Where is person599?").text == "place599"
    memory.write(state, "x" * 100_000)
    for empty in ("", "   ", "...", "the", "\n"):
        assert memory.write(state, empty) is state
    memory.write(state, "🙂 \x00 ünïcödé 漢字")


def test_a_state_is_a_value(shipped: StoryMemory) -> None:
    first = told(shipped, "Tom is in the attic.")
    shipped.write(first, "Tom went to the garden.")
    assert shipped.ask(first, "Where is Tom?").text == "attic"
