"""An assistant is a folder of data: read it, check it, and hand it on as one immutable value.

`domain.yml` and `data/*.yml` are Rasa 3's files; `task.yml` names the entity table and what the task is about.
Whatever is wrong with them ends in an `AssistantError` that names file, line, problem and remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.assistant_domain import CORE_RESPONSES, Domain, Variant, check_responses, read_domain
from bot.assistant_examples import Example, Training, read_training
from bot.assistant_task import (
    FaqEntry,
    HeldOut,
    Task,
    build_ontology,
    read_faq,
    read_held_out,
    read_task,
)
from bot.assistant_yaml import AssistantError, YamlMap, did_you_mean, read_map
from memory.ontology import Ontology

__all__ = ["Assistant", "AssistantError", "Example", "FaqEntry", "HeldOut", "Variant", "load_assistant"]

VENUE = "venue"
"""The entity that stands for the table's key when the domain has no entity of that name."""

PREFERENCE_RESPONSES = tuple(
    f"utter_preference_{name}" for name in ("noted", "withdrawn", "applied", "unsuited", "kept", "told", "untold")
)
"""What an assistant with ``preferences`` must be able to say; {you} and {phrase} are the preference's."""

_DATA_KEYS = ("version", "nlu", "stories", "rules")


@dataclass(frozen=True, eq=False)
class Assistant:
    """Everything a folder says about an assistant; see the classes of the parts for their meaning."""

    path: Path
    name: str
    ontology: Ontology
    intents: tuple[str, ...]
    entities: Mapping[str, tuple[str, ...]]
    responses: Mapping[str, tuple[Variant, ...]]
    actions: tuple[str, ...]
    examples: tuple[Example, ...]
    synonyms: Mapping[str, str]
    lookups: Mapping[str, tuple[str, ...]]
    regexes: Mapping[str, tuple[str, ...]]
    stories: tuple[Mapping[str, Any], ...]
    rules: tuple[Mapping[str, Any], ...]
    faq: tuple[FaqEntry, ...]
    task: Task
    user_phrases: Mapping[str, Any]
    validation: tuple[HeldOut, ...]

    @property
    def key_entity(self) -> str:
        """The NLU entity that names a row of the table: the table's key itself, or ``venue``."""
        return self.ontology.key if self.ontology.key in self.entities else VENUE


def load_assistant(path: Path | str) -> Assistant:
    """Read the assistant in folder ``path``; AssistantError when anything in it is missing or contradictory."""
    folder = Path(path)
    if not folder.is_dir():
        raise AssistantError(folder, 0, "there is no such folder", "Give the folder that holds domain.yml")
    if (folder / "domain.yml").exists() and not (folder / "task.yml").exists():
        remedy = "Use train, test, serve or chat with it (docs/rasa.md); other commands need an assistant with task.yml"
        raise AssistantError(folder, 0, "this is a Rasa project: task.yml is missing beside domain.yml", remedy)
    domain = read_domain(folder / "domain.yml")
    task = read_task(folder / "task.yml")
    ontology = build_ontology(task, domain)
    check_responses(domain, [*_needed_responses(ontology), *(PREFERENCE_RESPONSES if task.preferences else ())])
    files = sorted((folder / "data").glob("*.yml"))
    training = _training(folder, files, domain)
    stories, rules = _stories(files)
    return Assistant(
        path=folder,
        name=task.name,
        ontology=ontology,
        intents=domain.intents,
        entities=domain.entities,
        responses=domain.responses,
        actions=domain.actions,
        examples=training.examples,
        synonyms=training.synonyms,
        lookups=training.lookups,
        regexes=training.regexes,
        stories=stories,
        rules=rules,
        faq=read_faq(task.faq) if task.faq else (),
        task=task,
        user_phrases=read_map(task.user_phrases, needed_for="simulated users") if task.user_phrases else {},
        validation=_held_out(task, ontology),
    )


def _training(folder: Path, files: list[Path], domain: Domain) -> Training:
    training = read_training(files, frozenset(domain.intents), domain.entities)
    if not training.examples:
        problem, remedy = "there are no training sentences", "Add `nlu:` blocks to data/nlu.yml"
        raise AssistantError(folder / "data" / "nlu.yml", 0, problem, remedy)
    return training


def _needed_responses(ontology: Ontology) -> list[str]:
    per_slot = [f"utter_{act}_{slot}" for slot in ontology.slots for act in ("request", "confirm", "select")]
    answers = [f"utter_answer_{attribute}" for attribute in ontology.requestable]
    needed = [*CORE_RESPONSES, *per_slot, *answers, *(f"utter_request_{slot}" for slot in ontology.open_slots)]
    return needed + (["utter_confirm_booking", "utter_booked"] if ontology.open_slots else [])


def _stories(files: list[Path]) -> tuple[tuple[YamlMap, ...], tuple[YamlMap, ...]]:
    """Stories and rules as written; only their outline is checked."""
    found: dict[str, list[YamlMap]] = {"stories": [], "rules": []}
    names = {"stories": "story", "rules": "rule"}
    for file in files:
        content = read_map(file, needed_for="training data")
        content.only(_DATA_KEYS)
        for kind, entries in found.items():
            if content.get(kind) is None:
                continue
            for entry in content.take(kind, "list").maps(kind):
                if names[kind] not in entry:
                    raise entry.error(None, f"an entry of {kind} has no name", f"Add `{names[kind]}: ...`")
                entry.take("steps", "list").maps("steps")
                entries.append(entry)
    return tuple(found["stories"]), tuple(found["rules"])


def _held_out(task: Task, ontology: Ontology) -> tuple[HeldOut, ...]:
    if task.validation is None:
        return ()
    sentences = []
    known = {*ontology.slots, *ontology.open_slots, *ontology.requestable, ontology.key}
    for sentence in read_held_out(task.validation):
        acts = tuple(replace(act, slot=ontology.key) if act.slot == VENUE else act for act in sentence.acts)
        sentence = replace(sentence, acts=acts)
        for act in acts:
            if act.type in ("inform", "request", "deny", "confirm") and act.slot is not None and act.slot not in known:
                problem = f"{act} names the unknown slot {act.slot!r}"
                raise AssistantError(task.validation, sentence.line, problem, did_you_mean(act.slot, known))
        after = sentence.after
        if after is not None and after.kind == "request" and after.slot in ontology.open_slots:
            sentence = replace(sentence, after=replace(after, kind="request_open"))
        sentences.append(sentence)
    return tuple(sentences)
