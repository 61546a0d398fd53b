"""The NLU of a Rasa project: trained on little, read back only unchanged, total on any text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.nlu.pipeline import NLUError
from bot.rasa.nlu.entities import EntityReader
from bot.rasa.nlu.parsing import RasaNLU
from bot.rasa.nlu.settings import NluSettings
from bot.rasa.nlu.training import train_rasa_nlu
from bot.rasa.project import RasaProject
from bot.rasa.reading.loading import load_project
from memory.dialogue import Entity
from tests.bot.rasa.projects import PIZZA, write_project

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def project() -> RasaProject:
    """The pizza project, with duckling's numbers and times too."""
    read = load_project(PIZZA)
    return replace(read, pipeline=(*read.pipeline, {"name": "DucklingEntityExtractor"}))


@pytest.fixture(scope="module")
def trained(project: RasaProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its NLU."""
    folder = tmp_path_factory.mktemp("rasa") / "nlu"
    told: list[float] = []
    report = train_rasa_nlu(project, folder, lambda what, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert report["intents"]["accuracy"] > 0.6
    assert report["entities"]["f1"] > 0.6
    assert report["responses"]["faq"] > 0.5
    return folder


@pytest.fixture(scope="module")
def nlu(project: RasaProject, trained: Path) -> RasaNLU:
    """Read back, believing that it is Monday."""
    return RasaNLU.load(trained, project, clock=lambda: TODAY)


def told(nlu: RasaNLU, text: str) -> list[tuple[str, str, str | None]]:
    """(name, value, role) of the entities of ``text``."""
    return [(entity.name, entity.value, entity.role) for entity in nlu.parse(text).entities]


def test_intents_entities_roles_synonyms_tables_and_expressions(nlu: RasaNLU) -> None:
    assert nlu.parse("hello there").intents[0][0] == "greet"
    assert told(nlu, "drive me from Turin to Rome") == [("city", "Turin", "from"), ("city", "Rome", "to")]
    assert told(nlu, "the big pizza with RED ONIONS") == [("size", "large", None), ("topping", "RED ONIONS", None)]
    assert told(nlu, "my order is P-9876, 2 of 3") == [
        ("order_number", "P-9876", None), ("number", "2", None), ("number", "3", None),
    ]  # fmt: skip
    assert ("time", "2026-11-23T19:30:00", None) in told(nlu, "at half past seven in the evening")


def test_tables_and_expressions_of_no_entity_are_features_only(project: RasaProject) -> None:
    tables = replace(project.nlu, lookups={**project.nlu.lookups, "hungry": ("with",)})
    reader = EntityReader(tables, NluSettings(extract_known=True), (), None)
    assert reader.read(reader.prepare("with red onions", TODAY), TODAY) == ()
    reader = EntityReader(tables, NluSettings(extract_known=True), (), None, project.domain.entities)
    assert [entity.name for entity in reader.read(reader.prepare("with red onions", TODAY), TODAY)] == ["topping"]


def test_a_retrieval_intent_stands_under_its_best_response(nlu: RasaNLU) -> None:
    intents = nlu.parse("what is the price of one pizza").intents
    assert intents[0][0] == "faq/price"
    assert intents[0][1] > 0.5
    assert sum(name.startswith("faq") for name, _ in intents) == 1
    ranked = nlu.responses("what is the price of one pizza")["faq"]
    assert [name for name, _ in ranked] == ["faq/price", "faq/hours"]
    assert ranked[0][1] > 0.6


def test_what_was_taught_is_known_and_what_resembles_nothing_falls_back(nlu: RasaNLU, project: RasaProject) -> None:
    for example in project.nlu.examples:
        name, confidence = nlu.parse(f" {example.text.upper()}! ").intents[0]
        assert (name, confidence > 0.9) == (example.intent, True)
    for text in ("xqzzt wrrp", "how old is the pope", "/unheard_of"):
        result = nlu.parse(text)
        assert result.intents[0] == ("nlu_fallback", 0.4)
        assert result.out_of_scope > 0.3
    assert nlu.parse(" ").intents == ()


def test_fallback_follows_the_pipeline(project: RasaProject, trained: Path) -> None:
    def best(*pipeline: dict[str, object]) -> str:
        return RasaNLU.load(trained, replace(project, pipeline=pipeline)).parse("xqzzt wrrp").intents[0][0]

    assert best({"name": "WhitespaceTokenizer"}) != "nlu_fallback"
    assert best({"name": "FallbackClassifier", "threshold": 0.0, "ambiguity_threshold": 0.0}) != "nlu_fallback"
    assert best({"name": "FallbackClassifier", "threshold": 0.0, "ambiguity_threshold": 1.0}) == "nlu_fallback"
    assert best() == "nlu_fallback"
    with pytest.raises(NLUError, match=r"'threshold' is 'high'; write a number"):
        best({"name": "FallbackClassifier", "threshold": "high"})


def test_shortcuts_are_taken_at_their_word(nlu: RasaNLU) -> None:
    result = nlu.parse('/inform@0.7{"size": "large", "topping": ["ham", 2]}')
    assert result.intents == (("inform", 0.7),)
    assert [(e.name, e.value) for e in result.entities] == [("size", "large"), ("topping", "ham"), ("topping", 2)]
    assert nlu.parse("/faq/hours").intents == (("faq/hours", 1.0),)
    assert nlu.parse("/restart").intents == (("restart", 1.0),)


@given(text=st.text(max_size=60) | st.text("aP-1 /{}[]'pizza\n", max_size=30))
@settings(max_examples=40, deadline=None)
def test_any_text_is_parsed(nlu: RasaNLU, text: str) -> None:
    result = nlu.parse(text)
    scores = [p for name, p in result.intents if name != "nlu_fallback"]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) < 1.001
    for entity in result.entities:
        assert isinstance(entity, Entity)
        assert 0 <= entity.start < entity.end <= len(text)


def test_a_changed_model_or_project_is_refused(project: RasaProject, trained: Path, tmp_path: Path) -> None:
    fewer = replace(project, nlu=replace(project.nlu, synonyms={}))
    with pytest.raises(NLUError, match="trained on other NLU data"):
        RasaNLU.load(trained, fewer)
    with pytest.raises(NLUError, match=r"manifest.json can't be read .* train the NLU first"):
        RasaNLU.load(tmp_path, project)
    part = trained / "intents.json"
    before = part.read_bytes()
    try:
        part.write_bytes(before.replace(b"temperature", b"temperaturE", 1))
        with pytest.raises(NLUError, match=r"intents.json is missing or damaged \(its SHA-256 differs\)"):
            RasaNLU.load(trained, project)
    finally:
        part.write_bytes(before)


NO_DATA = ""
ONE_INTENT = "nlu:\n  - intent: greet\n    examples: |\n      - hi\n      - hello\n"
TWO_OF_ONE = ONE_INTENT + "  - intent: deny\n    examples: |\n      - never in my life\n"
ONE_ENTITY = ONE_INTENT + "  - intent: book\n    examples: |\n      - to [Rome](city)\n      - a trip\n"


@pytest.mark.parametrize("data", [NO_DATA, ONE_INTENT, TWO_OF_ONE, ONE_ENTITY])
def test_the_smallest_projects_train(data: str, tmp_path: Path) -> None:
    small = load_project(write_project(tmp_path / "project", {"data/nlu.yml": 'version: "3.1"\n' + data}))
    report = train_rasa_nlu(small, tmp_path / "nlu")
    assert report["sentences"] == len(small.nlu.examples)
    read = RasaNLU.load(tmp_path / "nlu", small)
    assert read.parse('/book{"city": "Rome"}').intents == (("book", 1.0),)
    for example in small.nlu.examples:
        assert read.parse(example.text).intents[0][0] == example.intent
    if data != NO_DATA:
        assert read.parse("hello hello").intents[0][0] == "greet"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nlu", "project"]


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    small = load_project(write_project(tmp_path, {"data/nlu.yml": 'version: "3.1"\n' + ONE_ENTITY}))
    for name in ("a", "b", "b"):  # the second time in place of another
        train_rasa_nlu(small, tmp_path / name, seed=3)
    for part in ("intents.safetensors", "entities.crfsuite", "manifest.json"):
        assert (tmp_path / "a" / part).read_bytes() == (tmp_path / "b" / part).read_bytes()
