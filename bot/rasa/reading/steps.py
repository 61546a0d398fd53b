"""One step of a story: what the user says, what the bot does, which slot or form is set; names checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from bot.assistant_yaml import AssistantError, YamlMap, describe, did_you_mean
from bot.rasa.nlu.shortcut import read_shortcut
from bot.rasa.project import ActionStep, LoopStep, NluData, RasaDomain, SlotStep, Step, StoryEntity, UserStep
from bot.rasa.reading.annotations import read_annotations
from bot.rasa.reading.files import Notes, plain
from bot.rasa.reading.names import DEFAULT_ACTIONS, DEFAULT_INTENTS, DEFAULT_SLOTS, OPTIONAL_ACTIONS, base_intent

STEP_KEYS = ("intent", "user", "entities", "action", "bot", "slot_was_set", "active_loop", "form", "checkpoint", "or")
_KINDS = ("user", "intent", "action", "bot", "slot_was_set", "active_loop", "form")
_RENAMED = {"action_deactivate_form": "action_deactivate_loop"}
_LISTED = 20
"""Unknown names that an error lists at most."""
_ENTITY_SETTINGS = ("role", "group", "value")


@dataclass(frozen=True)
class StepReader:
    """Turns a YAML step into steps, names checked; in test stories (``lenient``) an unknown name is only noted.

    ``taught`` are intents and entities of the NLU data: what is there was meant, even if the domain lacks it.
    """

    intents: Collection[str]
    entities: Collection[str]
    slots: Collection[str]
    actions: Collection[str]
    forms: Collection[str]
    taught: Collection[str]
    notes: Notes
    lenient: bool = False
    missing: list[AssistantError] = field(default_factory=list)
    """The unknown actions and forms so far: all are read before the error."""

    @classmethod
    def of(cls, domain: RasaDomain, nlu: NluData, notes: Notes, *, lenient: bool = False) -> StepReader:
        """A reader that knows the names of ``domain`` and those that every project has."""
        return cls(
            {*domain.intents, *DEFAULT_INTENTS},
            set(domain.entities),
            {*domain.slots, *DEFAULT_SLOTS},
            {*domain.actions, *DEFAULT_ACTIONS, *OPTIONAL_ACTIONS, *domain.forms, *domain.responses},
            {*domain.forms, "action_two_stage_fallback"},
            {base_intent(e.intent) for e in nlu.examples} | {x.entity for e in nlu.examples for x in e.entities},
            notes,
            lenient,
        )

    def read(self, step: YamlMap) -> tuple[Step, ...]:
        """The steps that one YAML entry means; AssistantError with its line when it can't be read."""
        kinds = [kind for kind in _KINDS if kind in step]
        if not kinds:
            wrong = next((key for key in step if key not in (*STEP_KEYS, "metadata")), None)
            remedy = did_you_mean(wrong, STEP_KEYS) if wrong else "Begin it with `intent:` or `action:`"
            raise step.error(wrong, "a step says neither what the user nor what the bot does", remedy)
        own: tuple[str, ...] = ("user", "intent", "entities") if kinds[0] in ("user", "intent") else (kinds[0],)
        step.only((*own, "metadata"))
        if kinds[0] in ("user", "intent"):
            return (self._user(step),)
        if kinds[0] == "action":
            return (ActionStep(self._action(step, step.take("action", "str").strip())),)
        if kinds[0] == "bot":
            return (ActionStep(None, step.take("bot", "str").strip()),)
        if kinds[0] == "slot_was_set":
            return self.slots_of(step)
        return (self._loop(step, kinds[0]),)

    def require_all(self) -> None:
        """AssistantError of the first unknown name; its remedy lists the others, one a line."""
        if self.missing:
            first, *others = self.missing
            more = "".join(f"\n{error}" for error in others[:_LISTED])
            more += f"\n... and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
            raise AssistantError(first.file, first.line, first.problem, first.remedy + more)

    def slots_of(self, step: YamlMap) -> tuple[SlotStep, ...]:
        """The `slot_was_set` of a step: a list of `name` and `name: value`, or one mapping."""
        value = step["slot_was_set"]
        entries = value if isinstance(value, list) else [value]
        found: list[SlotStep] = []
        for entry in entries:
            if isinstance(entry, str):
                found.append(SlotStep(self._known(step, "slot_was_set", entry, self.slots), any_value=True))
            elif isinstance(entry, YamlMap):
                for name, slot_value in entry.items():
                    self._known(entry, name, name, self.slots)
                    found.append(SlotStep(name, plain(slot_value)))
            else:
                raise step.error("slot_was_set", f"a slot is {describe(entry)}", "Write `- name` or `- name: value`")
        return tuple(found)

    def _action(self, step: YamlMap, name: str) -> str:
        """A known action; two names of format 2 are brought up to date."""
        now = _RENAMED.get(name, name)
        if name.startswith("respond_") and f"utter_{name.removeprefix('respond_')}" in self.actions:
            now = f"utter_{name.removeprefix('respond_')}"
        if now != name:
            self.notes.add(step.file, step.lines["action"], f"the action {name!r} (format 2)", f"read as {now!r}")
        return self._known(step, "action", now, self.actions)

    def _loop(self, step: YamlMap, key: str) -> LoopStep:
        value = step[key]
        if value is not None and not isinstance(value, str):
            raise step.error(key, f"{key!r} is {describe(value)}", "Write a form's name, or null")
        return LoopStep(None if value is None else self._known(step, key, value, self.forms))

    def _user(self, step: YamlMap) -> UserStep:
        intent = None
        if step.get("intent") is not None:
            intent = step.take("intent", "str").strip().removeprefix("/")
        text, entities = None, self._entities(step)
        if step.get("user") is not None:
            text, annotated = self._text(step)
            entities = annotated or entities
            shortcut = read_shortcut(text)
            if shortcut is not None and base_intent(shortcut.intent) in self.intents:
                intent = intent or shortcut.intent
                entities = entities or tuple(StoryEntity(name, value) for name, value in shortcut.entities)
        elif intent is None:
            raise step.error("intent", "a user step without intent", "Write `- intent: name`")
        if intent is not None and base_intent(intent) not in self.intents:
            self._unknown(step, "intent", base_intent(intent), self.intents)
        for entity in entities:
            if entity.entity not in self.entities:
                self._unknown(step, "entities" if "entities" in step else "user", entity.entity, self.entities)
        return UserStep(intent, entities, text)

    def _text(self, step: YamlMap) -> tuple[str, tuple[StoryEntity, ...]]:
        written = " ".join(step.take("user", "str").split())
        if read_shortcut(written) is not None:
            return written, ()
        try:
            text, entities = read_annotations(written)
        except ValueError as error:
            raise step.error("user", str(error), 'Write [words]{"entity": "name", "role": "..."}') from None
        return text, tuple(StoryEntity(e.entity, e.value, e.role, e.group) for e in entities)

    def _entities(self, step: YamlMap) -> tuple[StoryEntity, ...]:
        if step.get("entities") is None:
            return ()
        found: list[StoryEntity] = []
        for entry in step.take("entities", "list"):
            if isinstance(entry, str):
                found.append(StoryEntity(entry))
                continue
            names = [key for key in entry if key not in _ENTITY_SETTINGS] if isinstance(entry, YamlMap) else []
            if len(names) != 1:
                raise step.error("entities", f"an entity is {describe(entry)}", "Write `- name` or `- name: value`")
            role, group = (None if entry.get(key) is None else str(entry[key]) for key in ("role", "group"))
            value: Any = plain(entry[names[0]])
            found.append(StoryEntity(names[0], entry.get("value") if value is None else value, role, group))
        return tuple(found)

    def _known(self, step: YamlMap, key: str, name: str, known: Collection[str]) -> str:
        if name not in known:
            self._unknown(step, key, name, known)
        return name

    def _unknown(self, step: YamlMap, key: str, name: str, known: Collection[str]) -> None:
        """Unknown actions and forms are errors; so is any other name that looks like a slip of the pen."""
        kinds = ((self.intents, "intent"), (self.entities, "entity"), (self.slots, "slot"), (self.actions, "action"))
        kind = next((word for names, word in kinds if names is known), "form")
        problem, remedy = f"the domain has no {kind} {name!r}", did_you_mean(name, known)
        line = step.lines.get(key, step.line)
        slip = bool(get_close_matches(name, known, n=1, cutoff=0.8)) and name not in self.taught
        if not self.lenient and (kind in ("action", "form") or slip):
            error = AssistantError(step.file, line, problem, f"{remedy} Otherwise add it to the domain")
            if all(error.problem != other.problem for other in self.missing):
                self.missing.append(error)
            return
        self.notes.add(step.file, line, problem, f"read as it is; add it to the domain. {remedy}")
