"""The trained NLU: what sentences mean, calibration, hostile input, speed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.assistant import Assistant
from bot.nlu.measure import measure_nlu
from bot.nlu.pipeline import NLU, NLUError
from memory.dialogue import NLUResult, SystemAct

ROOT = Path(__file__).parents[3]


def told(result: NLUResult) -> set[str]:
    return {str(s.act) for s in result.acts if s.confidence > 0.5}


SENTENCES = [
    ("cheap thai in the north", None, {"inform(pricerange=cheap)", "inform(food=thai)", "inform(area=north)"}),
    ("hello", None, {"hello()"}),
    ("goodbye", None, {"bye()"}),
    ("what is the phone number", SystemAct("offer"), {"request(phone)"}),
    ("what are your opening hours", SystemAct("offer"), {"request(hours)"}),
    ("7", SystemAct("request_open", "time"), {"inform(time=19:00)"}),
    ("7", SystemAct("request_open", "people"), {"inform(people=7)"}),
    ("Smith", SystemAct("request_open", "booking_name"), {"inform(booking_name=Smith)"}),
    ("call me Ishmael", SystemAct("request_open", "booking_name"), {"inform(booking_name=Ishmael)"}),
    ("do you allow dogs?", SystemAct("request_open", "booking_name"), {"faq(dogs)"}),
    ("something less posh", SystemAct("offer"), {"inform(pricerange=cheap)"}),
    ("north", None, {"inform(area=north)"}),
    ("yes", SystemAct("confirm", "food", "thai"), {"affirm()"}),
    ("no", SystemAct("confirm", "food", "thai"), {"negate()"}),
    ("i don't mind", SystemAct("request", "area"), {"inform(area=dontcare)"}),
    ("any area", None, {"inform(area=dontcare)"}),
    ("anywhere in town", None, {"inform(area=dontcare)"}),
    ("I don't care about the price", None, {"inform(pricerange=dontcare)"}),
    ("not thai", None, {"deny(food=thai)"}),
    ("is it in the north?", SystemAct("offer"), {"confirm(area=north)"}),
    ("expencive itallian", None, {"inform(pricerange=expensive)", "inform(food=italian)"}),
    ("book it", SystemAct("offer"), {"book()"}),
    ("anything else?", SystemAct("offer"), {"reqalts()"}),
    (
        "Indian food on the east side of town, and what is their phone number?",
        None,
        {"inform(food=indian)", "inform(area=east)", "request(phone)"},
    ),
    (
        "book a table for 4 on friday at 7",
        None,
        {"book()", "inform(people=4)", "inform(day=friday)", "inform(time=19:00)"},
    ),
    ("YES", SystemAct("confirm", "food", "thai"), {"affirm()"}),
]


@pytest.mark.parametrize(("text", "previous", "expected"), SENTENCES)
def test_meaning(nlu: NLU, text: str, previous: SystemAct | None, expected: set[str]) -> None:
    assert told(nlu.parse(text, previous)) == expected


def test_a_question_about_a_named_place_is_no_faq(nlu: NLU, assistant: Assistant) -> None:
    name = assistant.ontology.entity_names[0]
    acts = told(nlu.parse(f"do you have parking at {name.lower()}"))
    assert acts == {"request(parking)", f"inform(name={name})"}


def test_a_correction_keeps_the_new_value(nlu: NLU) -> None:
    acts = told(nlu.parse("no, I meant the south", SystemAct("confirm", "area", "north")))
    assert "inform(area=south)" in acts
    assert "negate()" in acts


def test_what_has_nothing_to_do_with_the_task_is_out_of_scope(nlu: NLU) -> None:
    for text in ("how do I file my tax return", "what is the capital of mongolia", "fix my python code"):
        result = nlu.parse(text)
        assert "out_of_scope()" in told(result), text
        assert result.out_of_scope > nlu.parse("cheap thai food").out_of_scope


def test_two_near_misspellings_share_their_probability(nlu: NLU) -> None:
    result = nlu.parse("austri food")
    values = {s.act.value: s.confidence for s in result.acts if s.act.slot == "food" and s.act.type == "inform"}
    assert sum(values.values()) <= 1.0 + 1e-6


def test_a_batch_gives_the_answers_of_single_calls(nlu: NLU) -> None:
    texts = [text for text, _, _ in SENTENCES]
    acts = [previous for _, previous, _ in SENTENCES]
    assert nlu.parse_batch(texts, acts) == [nlu.parse(t, a) for t, a in zip(texts, acts, strict=True)]


def test_offsets_point_into_the_text(nlu: NLU) -> None:
    text = "  Cheap\tthai food\u2019s in the NORTH \U0001f600 please"
    found = {text[e.start : e.end].lower() for e in nlu.parse(text).entities}
    assert {"cheap", "north"} <= found


def test_validation_is_understood_and_probabilities_are_calibrated(
    nlu: NLU, assistant: Assistant, tmp_path: Path
) -> None:
    report = measure_nlu(nlu, assistant, tmp_path)
    assert report["act_f1"] >= 0.85
    assert report["calibration_error"] <= 0.06
    model = json.loads((tmp_path / "error_model.json").read_text())
    assert model["turns"] == len(assistant.validation)
    assert 0 < model["semantic_error_rate"] < 0.5
    assert model["confidence_correct"]["mean"] > model["confidence_wrong"]["mean"]


def test_the_training_report_shows_calibrated_intents_and_slots(model_dir: Path) -> None:
    report = json.loads((model_dir / "nlu" / "report.json").read_text())
    assert report["intents"]["calibration_error"] <= 0.06
    assert report["slots"]["calibration_error"] <= 0.06
    assert report["slots"]["f1"] >= 0.9
    losses = [point["in_scope_loss"] for point in report["intents"]["out_of_scope"]["curve"]]
    recalls = [point["out_of_scope_recall"] for point in report["intents"]["out_of_scope"]["curve"]]
    assert losses == sorted(losses)
    assert recalls == sorted(recalls)


HOSTILE = [
    "",
    " \n\t ",
    "\x00" * 50,
    "\ud800\udc00\ud800",
    "a" * 100_000,
    "thai " * 20_000,
    "\U0001f600" * 100_000,
    "not " * 25_000,
    "," * 100_000,
    "half past " * 10_000,
    "qzxv kjwq " * 10_000,
    "\u0130\u0130\u0130 thai \u1e9e",
    "1" * 100_000,
    "'" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_input_is_read_in_bounded_time(nlu: NLU, text: str) -> None:
    started = time.perf_counter()
    result = nlu.parse(text, SystemAct("request_open", "booking_name"))
    assert time.perf_counter() - started < 1.0
    assert all(0.0 <= s.confidence <= 1.0 for s in result.acts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=120), st.sampled_from([None, SystemAct("request", "area"), SystemAct("request_open", "time")]))
def test_any_text_gives_probabilities(nlu: NLU, text: str, previous: SystemAct | None) -> None:
    result = nlu.parse(text, previous)
    assert all(0.0 <= s.confidence <= 1.0 for s in result.acts)
    assert all(0 <= e.start <= e.end <= len(text) for e in result.entities)
    assert -1.0 <= result.sentiment <= 1.0
    assert 0.0 <= result.out_of_scope <= 1.0


def test_a_short_message_takes_few_milliseconds_of_processor_time(nlu: NLU) -> None:
    nlu.parse("warm up")
    started = time.process_time()
    for _ in range(50):
        nlu.parse("cheap thai in the north")
    assert (time.process_time() - started) / 50 < 0.02


def test_serving_never_imports_torch(model_dir: Path) -> None:
    program = (
        "import sys; from bot.assistant import load_assistant; from bot.nlu.pipeline import NLU;"
        f"nlu = NLU.load({str(model_dir)!r}, load_assistant({str(ROOT / 'assistants/restaurants')!r}));"
        "nlu.parse('cheap thai');"
        "heavy = {'torch', 'transformers', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    ["intents.safetensors", "intents.json", "slots.json", "slots.crfsuite", "encoder/model.onnx", "manifest.json"],
)
def test_a_damaged_model_is_refused_by_name(assistant: Assistant, model_dir: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(model_dir / "nlu", tmp_path / "nlu")
    path = tmp_path / "nlu" / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :])
    if name == "manifest.json":
        path.write_bytes(data[:10])
    with pytest.raises(NLUError, match="train"):
        NLU.load(tmp_path, assistant)
    path.unlink()
    with pytest.raises(NLUError, match=Path(name).name):
        NLU.load(tmp_path, assistant)
