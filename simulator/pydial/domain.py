"""PyDial's domain files: an ontology of slots and values, and the table of entities behind it."""

from __future__ import annotations

import json
import lzma
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DONTCARE = "dontcare"
UNAVAILABLE = ("not available", "", "none")
"""Table entries that mean "unknown" rather than a value."""


PUBLISHED = {"CR": "CamRestaurants", "SFR": "SFRestaurants"}
"""Short names of the benchmark's domains."""


class DomainError(ValueError):
    """A domain file can't be used; the message names the file, the slot or entity, and the remedy."""


@dataclass(frozen=True)
class Domain:
    """One domain as its two files give it.

    ``informable``: slot -> its values, without ``dontcare``; ``system_requestable``: the slots a system may ask for
    and a user constrains; ``requestable``: what a user may ask for; ``entities``: rows of strings by column.
    """

    name: str
    informable: Mapping[str, tuple[str, ...]]
    system_requestable: tuple[str, ...]
    requestable: tuple[str, ...]
    entities: tuple[Mapping[str, str], ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """Every slot name: the requestable ones, then the remaining informable ones."""
        return (*self.requestable, *(slot for slot in self.informable if slot not in self.requestable))


def find_domain(name: str) -> tuple[Path, Path]:
    """The two files of a published domain (CR, SFR, CamHotels, ...) in the folder that REJOINDER_DATA names."""
    advice = "name a domain's own files with --ontology and --table"
    root = os.environ.get("REJOINDER_DATA")
    if not root:
        raise DomainError(f"domain {name!r}: set REJOINDER_DATA to the folder with pydial/ontologies, or {advice}")
    folder = Path(root) / "pydial" / "ontologies"
    stem = PUBLISHED.get(name, name)
    for table in (folder / f"{stem}-dbase.json", folder / f"{stem}-dbase.json.xz"):
        if table.exists():
            return folder / f"{stem}-rules.json", table
    raise DomainError(f"domain {name!r}: {folder} has no {stem}-dbase.json: check REJOINDER_DATA, or {advice}")


def load_domain(ontology: str | Path, table: str | Path) -> Domain:
    """Read ``...-rules.json`` and ``...-dbase.json`` (each perhaps ``.xz``); DomainError says what is wrong where."""
    ontology, table = Path(ontology), Path(table)
    rules = _json(ontology)
    if not isinstance(rules, dict):
        raise DomainError(f"{ontology}: expected one JSON object with `informable` and `requestable`")
    informable = _informable(ontology, rules)
    system = _names(ontology, rules, "system_requestable")
    requestable = _names(ontology, rules, "requestable")
    for slot in (*system, "name"):
        if slot not in informable:
            raise DomainError(f"{ontology}: slot {slot!r} has no values under `informable`: list them there")
    if "name" not in requestable:
        raise DomainError(f"{ontology}: `requestable` must contain 'name'")
    domain = Domain(_domain_name(ontology), informable, system, requestable, _entities(table))
    _check_entities(domain, ontology, table)
    return domain


def _json(path: Path) -> Any:
    try:
        data = path.read_bytes()
        text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
        return json.loads(text)
    except FileNotFoundError:
        raise DomainError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise DomainError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DomainError(f"{path}: can't be read ({error})") from None


def _domain_name(path: Path) -> str:
    return path.name.removesuffix(".xz").removesuffix(".json").removesuffix("-rules")


def _names(path: Path, rules: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = rules.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DomainError(f"{path}: `{key}` must be a list of slot names that is not empty")
    if len(set(names)) < len(names):
        raise DomainError(f"{path}: `{key}` names a slot twice")
    return tuple(names)


def _informable(path: Path, rules: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    slots = rules.get("informable")
    if not isinstance(slots, dict) or not slots:
        raise DomainError(f"{path}: `informable` must map each slot to the list of its values")
    informable = {}
    for slot, values in slots.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise DomainError(f"{path}: slot {slot!r}: its values must be a list of strings")
        distinct = tuple(dict.fromkeys(value.lower() for value in values if value.lower() != DONTCARE))
        if not distinct:
            raise DomainError(f"{path}: slot {slot!r} has no values: list at least one, or remove the slot")
        informable[slot] = distinct
    return informable


def _entities(path: Path) -> tuple[dict[str, str], ...]:
    data = _json(path)
    if isinstance(data, dict) and len(data) == 1:
        data = next(iter(data.values()))
    if not isinstance(data, list) or not data:
        raise DomainError(f"{path}: expected a list of entities, or one domain name mapped to such a list")
    for number, row in enumerate(data, 1):
        if not isinstance(row, dict) or not row.get("name"):
            raise DomainError(f"{path}: entity {number} must be an object with a `name`")
    return tuple({str(key): str(value).lower() for key, value in row.items()} for row in data)


def _check_entities(domain: Domain, ontology: Path, table: Path) -> None:
    for number, row in enumerate(domain.entities, 1):
        for slot in domain.system_requestable:
            value = row.get(slot)
            if value is None:
                raise DomainError(f"{table}: entity {number} ({row['name']!r}) has no {slot!r}: add it")
            if value not in UNAVAILABLE and value != DONTCARE and value not in domain.informable[slot]:
                raise DomainError(
                    f"{table}: entity {number} ({row['name']!r}): {slot} is {value!r}, which {ontology.name} doesn't "
                    f"list: add it to informable[{slot!r}], or write 'not available'"
                )
