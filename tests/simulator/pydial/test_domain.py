from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.pydial.domain import DomainError, find_domain, load_domain
from tests.simulator.pydial.worlds import published, rules, table, write


def test_reads_both_files(tmp_path: Path) -> None:
    domain = load_domain(*write(tmp_path))
    assert domain.name == "Hats"
    assert len(domain.entities) == 60
    assert domain.slots == ("name", "colour", "size", "maker", "price", "shelf")


@pytest.mark.parametrize(("name", "entities", "slots"), [("CR", 110, 3), ("SFR", 271, 6)])
def test_published_domains_have_their_published_sizes(name: str, entities: int, slots: int) -> None:
    domain = published(name)
    assert (len(domain.entities), len(domain.system_requestable)) == (entities, slots)


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in rules().items() if k != key}


def slot_values(slot: str, values: Any) -> dict[str, Any]:
    return {**rules(), "informable": {**rules()["informable"], slot: values}}


@pytest.mark.parametrize(
    ("ontology", "rows", "says"),
    [
        (slot_values("colour", []), None, "slot 'colour' has no values"),
        (slot_values("colour", "red"), None, "slot 'colour': its values must be a list"),
        (without("informable"), None, "`informable` must map"),
        (without("system_requestable"), None, "`system_requestable` must be a list"),
        ({**rules(), "system_requestable": ["weight"]}, None, "slot 'weight' has no values"),
        ({**rules(), "system_requestable": ["size", "size"]}, None, "names a slot twice"),
        ({**rules(), "requestable": ["colour"]}, None, "must contain 'name'"),
        (None, [{**table()[0], "colour": "mauve"}], "entity 1 ('hat 0'): colour is 'mauve'"),
        (None, [{"name": "hat 0", "colour": "red"}], "entity 1 ('hat 0') has no"),
        (None, [{"colour": "red"}], "entity 1 must be an object with a `name`"),
        (None, [], "expected a list of entities"),
    ],
)
def test_bad_files_are_named_with_slot_and_remedy(tmp_path: Path, ontology: Any, rows: Any, says: str) -> None:
    files = write(tmp_path, ontology, rows)
    with pytest.raises(DomainError) as caught:
        load_domain(*files)
    assert says in str(caught.value)
    assert "Hats-" in str(caught.value)


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    ontology, entities = write(tmp_path)
    ontology.write_text(json.dumps(rules(), indent=1).replace('"size"', '"size', 1))
    with pytest.raises(DomainError, match=r"Hats-rules\.json:\d+: not JSON"):
        load_domain(ontology, entities)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    ontology, entities = write(tmp_path)
    with pytest.raises(DomainError, match="no such file"):
        load_domain(tmp_path / "none.json", entities)
    broken = tmp_path / "x-dbase.json.xz"
    broken.write_bytes(b"\xff\x00not xz")
    with pytest.raises(DomainError, match="can't be read"):
        load_domain(ontology, broken)


def test_unknown_domain_names_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REJOINDER_DATA", str(tmp_path))
    with pytest.raises(DomainError, match="--ontology and --table"):
        find_domain("CR")
    monkeypatch.delenv("REJOINDER_DATA")
    with pytest.raises(DomainError, match="REJOINDER_DATA"):
        find_domain("CR")
