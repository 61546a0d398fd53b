"""Following recorded dialogues: the corpus reader's errors, and the measured joint goal accuracy."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.evaluate_tracker import evaluate_tracker
from simulator.corpora.woz2 import CorpusError, read_woz2


def turn(text: str, goal: dict[str, str], acts: list[object] | None = None, requests: tuple[str, ...] = ()) -> object:
    return {
        "transcript": text,
        "system_transcript": "",
        "system_acts": acts or [],
        "belief_state": [{"act": "inform", "slots": [[slot, value]]} for slot, value in goal.items()],
        "turn_label": [["request", name] for name in requests],
    }


DIALOGUE = {
    "dialogue_idx": 7,
    "dialogue": [
        turn("cheap thai food please", {"food": "thai", "price range": "cheap"}),
        turn("i don't mind", {"food": "thai", "price range": "cheap", "area": "dontcare"}, ["area"]),
        turn("yes", {"food": "chinese", "price range": "cheap", "area": "dontcare"}, [["food", "chinese"]]),
        turn(
            "what is the phone number", {"food": "chinese", "price range": "cheap", "area": "dontcare"}, [], ("phone",)
        ),
    ],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "woz.json"
    path.write_text(json.dumps([DIALOGUE]))
    return path


def test_a_corpus_is_read_plain_and_compressed(corpus: Path) -> None:
    dialogues = read_woz2(corpus)
    assert dialogues[0].number == 7
    assert dialogues[0].turns[1].asked == ("area",)
    assert dialogues[0].turns[2].proposed == (("food", "chinese"),)
    assert dialogues[0].turns[2].goal == {"food": "chinese", "pricerange": "cheap", "area": "dontcare"}
    assert dialogues[0].turns[3].requests == {"phone"}
    packed = corpus.with_suffix(".json.xz")
    packed.write_bytes(lzma.compress(corpus.read_bytes()))
    assert read_woz2(packed) == dialogues


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[", "not JSON"),
        (b"{}", "expected a list"),
        (b"[3]", "dialogue 0"),
        (b'[{"dialogue": [{"transcript": "x"}]}]', "dialogue 0, turn 0"),
        (b'[{"dialogue": ["x"]}]', "dialogue 0, turn 0"),
        (b"\xff\xfe[", "UTF-8"),
    ],
)
def test_a_broken_corpus_says_where(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=what) as caught:
        read_woz2(path)
    assert "bad.json" in str(caught.value)


def test_a_missing_or_unpacked_corpus_says_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="can't be read"):
        read_woz2(tmp_path / "none.json")
    (tmp_path / "plain.json.xz").write_bytes(b"[]")
    with pytest.raises(CorpusError, match="not an xz file"):
        read_woz2(tmp_path / "plain.json.xz")


def test_an_easy_dialogue_is_followed_exactly(corpus: Path, model_dir: Path, assistant: Assistant) -> None:
    report = evaluate_tracker(corpus, model_dir, assistant)
    assert report["turns"] == 4
    assert report["joint_goal_accuracy"] == 1.0
    assert report["slot_accuracy"] == 1.0
    assert report["request_f1"] == 1.0


def test_an_empty_corpus_is_refused(tmp_path: Path, model_dir: Path, assistant: Assistant) -> None:
    path = tmp_path / "empty.json"
    path.write_text("[]")
    with pytest.raises(CorpusError, match="no turns"):
        evaluate_tracker(path, model_dir, assistant)


def test_recorded_dialogues_are_followed_well(model_dir: Path, assistant: Assistant) -> None:
    data = os.environ.get("REJOINDER_DATA")
    if not data:
        pytest.skip("set REJOINDER_DATA to the folder that holds woz2/woz_validate_en.json.xz")
    report = evaluate_tracker(Path(data) / "woz2" / "woz_validate_en.json.xz", model_dir, assistant)
    assert report["turns"] == 830
    assert report["joint_goal_accuracy"] >= 0.85
    assert report["request_f1"] >= 0.85
