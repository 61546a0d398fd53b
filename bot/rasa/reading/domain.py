"""The domain of a Rasa project: its files merged, checked and turned into a ``RasaDomain``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from bot.assistant_yaml import AssistantError, YamlList, YamlMap, describe, did_you_mean
from bot.rasa.project import EntityType, Form, Intent, RasaDomain, Slot
from bot.rasa.reading.files import DOMAIN_KEYS, Notes, check_known, plain
from bot.rasa.reading.forms import FormMappings, read_forms
from bot.rasa.reading.names import DEFAULT_INTENTS, base_intent
from bot.rasa.reading.responses import read_responses
from bot.rasa.reading.slots import read_slots

_SESSION = ("session_expiration_time", "carry_over_slots_to_new_session")
_SESSION_MINUTES = 60
"""Rasa's default since 2.0."""


def read_domain(parts: Sequence[YamlMap], retrieval: Collection[str], notes: Notes) -> RasaDomain:
    """Merge ``parts`` (whole files; keys of the domain only are looked at) into one domain.

    ``retrieval`` are the retrieval intents of the NLU data: each gets its action `utter_<intent>`, as in Rasa.
    AssistantError names file, line and remedy.
    """
    lists = {key: _entries(parts, key) for key in ("intents", "entities", "actions", "e2e_actions")}
    maps = {key: _merged(parts, key, notes) for key in ("slots", "responses", "config", "session_config")}
    for part in parts:
        if part.get("templates") is not None:
            notes.add(part.file, part.lines["templates"], "`templates` (format 1)", "read as `responses`")
    for name, entry in _merged(parts, "templates", notes).items():
        maps["responses"].setdefault(name, entry)
    entities = dict(_entity(item, owner, line, notes) for owner, item, line in lists["entities"])
    intents = {item.name: item for item in (_intent(*entry, entities, notes) for entry in lists["intents"])}
    for name in DEFAULT_INTENTS:
        intents.setdefault(name, Intent(name))
    store_as_slots = bool(_value(maps["config"], "store_entities_as_slots", True))
    forms, mappings = read_forms(_form_entries(parts), notes)
    slots = read_slots(maps["slots"], entities, mappings, notes, old=_is_old(parts, maps["slots"], mappings))
    _check_forms(forms, slots, parts, intents, notes)
    responses = read_responses(maps["responses"], notes)
    actions = [_action(*entry) for entry in lists["actions"]]
    for name in (
        *(name for name in responses if "/" not in name),
        *(f"utter_{intent}" for intent in sorted(retrieval)),
    ):
        if name not in actions:
            actions.append(name)
    minutes, carry_over = _session(maps["session_config"], notes)
    return RasaDomain(
        intents=intents,
        entities=entities,
        slots=slots,
        forms=forms,
        responses=responses,
        actions=tuple(dict.fromkeys(name for name in actions if name not in forms)),
        e2e_actions=tuple(str(item) for _, item, _ in lists["e2e_actions"]),
        session_minutes=minutes,
        carry_over_slots=carry_over,
        store_entities_as_slots=store_as_slots,
        raw=_raw(parts, forms, mappings, minutes, carry_over),
    )


Entry = tuple[YamlMap | YamlList, Any, int]
Merged = dict[str, tuple[YamlMap, Any]]


def _entries(parts: Sequence[YamlMap], key: str) -> list[Entry]:
    """(list, item, line) of every item of the lists ``key``; a mapping `a: {..}` counts as a list of its entries."""
    found: list[Entry] = []
    for part in parts:
        value = part.get(key)
        if isinstance(value, YamlMap):
            for name, body in value.items():
                item = YamlMap(value.file, value.lines[name])
                item[name], item.lines[name] = body, value.lines[name]
                found.append((value, item, value.lines[name]))
        elif isinstance(value, YamlList):
            found.extend((value, item, line) for item, line in zip(value, value.lines, strict=True))
        elif value is not None:
            raise part.error(
                key, f"{key!r} is {describe(value)}, expected a list", f"Write `{key}:` and `- name` lines"
            )
    return found


def _merged(parts: Sequence[YamlMap], key: str, notes: Notes) -> Merged:
    """name -> (mapping that holds it, value); a later file's entry replaces an earlier one's, which is noted."""
    found: Merged = {}
    for part in parts:
        if part.get(key) is None:
            continue
        body = part.take(key, "dict")
        for name, value in body.items():
            if name in found and plain(found[name][1]) != plain(value):
                other = found[name][0]
                notes.add(
                    other.file, other.lines[name], f"{key}: {name!r} is given in two files", f"{part.file.name} counts"
                )
            found[name] = (body, value)
    return found


def _is_old(parts: Sequence[YamlMap], slots: Merged, moved: FormMappings) -> bool:
    """Whether slots are meant as in format 2, filled from the entity of their name."""
    domain = [part for part in parts if any(key in part for key in DOMAIN_KEYS)]
    if any(str(part.get("version", "")).startswith("2") for part in domain) or moved:
        return True
    unsaid = not any("version" in part for part in domain)
    return unsaid and not any(isinstance(body, YamlMap) and "mappings" in body for _, body in slots.values())


def _value(merged: Merged, name: str, default: Any) -> Any:
    return merged[name][1] if name in merged else default


def _named(owner: YamlMap | YamlList, item: Any, line: int, what: str) -> tuple[str, YamlMap | None]:
    """The name and settings of a list item, `name` or `name: {...}`."""
    if isinstance(item, str):
        return item, None
    if isinstance(item, YamlMap) and len(item) == 1:
        name, body = next(iter(item.items()))
        if body is None or isinstance(body, YamlMap):
            return name, body
    raise _at(owner, line, f"{what} is {describe(item)}, expected a name", "Write `- name` or `- name: {...}`")


def _at(owner: YamlMap | YamlList, line: int, problem: str, remedy: str) -> Exception:
    return AssistantError(owner.file, line, problem, remedy)


def _entity(item: Any, owner: YamlMap | YamlList, line: int, notes: Notes) -> tuple[str, EntityType]:
    name, body = _named(owner, item, line, "an entity")
    if body is None:
        return name, EntityType(name)
    check_known(body, ("roles", "groups", "influence_conversation"), notes)
    roles, groups = (tuple(str(x) for x in body.take(key, "list", [], required=False)) for key in ("roles", "groups"))
    return name, EntityType(name, roles, groups, bool(body.get("influence_conversation", True)))


def _intent(owner: YamlMap | YamlList, item: Any, line: int, entities: dict[str, EntityType], notes: Notes) -> Intent:
    name, body = _named(owner, item, line, "an intent")
    base = base_intent(name)
    known = frozenset(n for n, e in entities.items() if e.influence_conversation)
    everything = None if len(known) == len(entities) else known
    if body is None:
        return Intent(base, everything)
    check_known(body, ("use_entities", "ignore_entities", "triggers", "is_retrieval_intent"), notes)
    used = _entity_choice(body, "use_entities", entities)
    ignored = _entity_choice(body, "ignore_entities", entities)
    if used is None and not ignored:
        return Intent(base, everything)
    return Intent(base, (known if used is None else used & known) - (ignored or frozenset()))


def _entity_choice(body: YamlMap, key: str, entities: Collection[str]) -> frozenset[str] | None:
    """The entities that ``key`` names; None where it says all (true) or nothing."""
    value = body.get(key)
    if value is None or value is True:
        return None
    if value is False:
        return frozenset()
    names = [value] if isinstance(value, str) else body.take(key, "list").texts("entities")
    for name in names:
        if name.split("#")[0] not in entities:
            raise body.error(key, f"unknown entity {name!r}", did_you_mean(name, entities))
    return frozenset(name.split("#")[0] for name in names)


def _action(owner: YamlMap | YamlList, item: Any, line: int) -> str:
    name, body = _named(owner, item, line, "an action")
    if body is not None:
        body.only(("send_domain",))
    return name


def _form_entries(parts: Sequence[YamlMap]) -> Iterable[tuple[YamlMap | YamlList, str, Any, int]]:
    for owner, item, line in _entries(parts, "forms"):
        name, body = _named(owner, item, line, "a form")
        yield owner, name, body, line


def _check_forms(
    forms: dict[str, Form], slots: dict[str, Slot], parts: Sequence[YamlMap], intents: Collection[str], notes: Notes
) -> None:
    for owner, name, _, line in _form_entries(parts):
        for slot in forms[name].required_slots:
            if slot not in slots:
                raise _at(owner, line, f"form {name!r} requires the unknown slot {slot!r}", did_you_mean(slot, slots))
        for intent in forms[name].ignored_intents:
            if intent != "*" and base_intent(intent) not in intents:
                notes.add(owner.file, line, f"form {name!r} ignores the unknown intent {intent!r}", "it never occurs")


def _session(merged: Merged, notes: Notes) -> tuple[float, bool]:
    for owner, _ in merged.values():
        check_known(owner, _SESSION, notes)
    minutes = _value(merged, _SESSION[0], _SESSION_MINUTES)
    if not isinstance(minutes, int | float) or isinstance(minutes, bool) or minutes < 0:
        owner = merged[_SESSION[0]][0]
        raise owner.error(_SESSION[0], f"{_SESSION[0]!r} is {describe(minutes)}", "Write minutes, 0 for never")
    return float(minutes), bool(_value(merged, _SESSION[1], True))


def _raw(
    parts: Sequence[YamlMap], forms: dict[str, Form], mappings: FormMappings, minutes: float, carry_over: bool
) -> dict[str, Any]:
    """The domain as Rasa shows it: merged, intents by name, defaults for version and session; format 2 brought up."""
    raw: dict[str, Any] = {"version": "3.1"}
    for key in DOMAIN_KEYS:
        for part in parts:
            value = plain(part.get(key))
            target = "responses" if key == "templates" else key
            if isinstance(value, dict) and key not in ("intents", "entities", "actions"):
                raw[target] = {**raw.get(target, {}), **value}
            elif isinstance(value, list | dict):
                items = value if isinstance(value, list) else [{name: body} for name, body in value.items()]
                raw[target] = [*raw.get(target, []), *(item for item in items if item not in raw.get(target, []))]
    raw["intents"] = sorted(raw.get("intents", []), key=lambda i: next(iter(i)) if isinstance(i, dict) else i)
    expiration = int(minutes) if minutes == int(minutes) else minutes
    raw["session_config"] = {_SESSION[0]: expiration, _SESSION[1]: carry_over}
    if forms:
        raw["forms"] = {
            name: {
                "required_slots": list(form.required_slots),
                **({"ignored_intents": list(form.ignored_intents)} if form.ignored_intents else {}),
            }
            for name, form in forms.items()
        }
    for slot, extra in mappings.items():
        body = raw.get("slots", {}).get(slot)
        if isinstance(body, dict):
            body["mappings"] = [*body.get("mappings", []), *(plain(mapping) for mapping in extra)]
    return raw
