"""A Rasa 3 project as one immutable value: what its files say, checked and with `or`s and checkpoints written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MappingType = Literal["from_entity", "from_text", "from_intent", "from_trigger_intent", "custom"]
SlotType = Literal["text", "bool", "categorical", "float", "list", "any"]


@dataclass(frozen=True, slots=True)
class Condition:
    """When a slot mapping applies: in the loop ``active_loop`` (None: in none), while ``requested_slot`` is asked."""

    active_loop: str | None
    requested_slot: str | None = None


@dataclass(frozen=True, slots=True)
class SlotMapping:
    """How messages fill a slot; ``intents`` and ``not_intents`` are empty where they don't restrict."""

    type: MappingType
    entity: str | None = None
    role: str | None = None
    group: str | None = None
    intents: tuple[str, ...] = ()
    not_intents: tuple[str, ...] = ()
    value: Any = None
    action: str | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot; ``values`` of a categorical one, ``minimum`` and ``maximum`` of a float."""

    name: str
    type: SlotType
    influence_conversation: bool = True
    initial_value: Any = None
    values: tuple[str, ...] = ()
    minimum: float = 0.0
    maximum: float = 1.0
    mappings: tuple[SlotMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form; ``ignored_intents`` is ("*",) where the file says x for all."""

    name: str
    required_slots: tuple[str, ...]
    ignored_intents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseVariant:
    """One variant of a response; ``parts`` is everything else that Rasa sends with it: buttons (mappings with title
    and payload), image, custom, attachment, elements, quick_replies, button_type. ``conditions`` are (slot, value)."""

    text: str | None
    parts: Mapping[str, Any]
    channel: str | None = None
    conditions: tuple[tuple[str, Any], ...] = ()
    metadata: Mapping[str, Any] | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent; ``entities`` are those that influence the conversation with it, None for all."""

    name: str
    entities: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class EntityType:
    """An entity with its roles and groups."""

    name: str
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    influence_conversation: bool = True


@dataclass(frozen=True)
class RasaDomain:
    """domain.yml (or the merged files of domain/).

    ``actions`` are the project's own, in the file's order, responses not listed there included after them; ``raw`` is
    the merged domain as plain JSON values, in the form that Rasa sends to action servers and at ``GET /domain``.
    """

    intents: Mapping[str, Intent]
    entities: Mapping[str, EntityType]
    slots: Mapping[str, Slot]
    forms: Mapping[str, Form]
    responses: Mapping[str, tuple[ResponseVariant, ...]]
    actions: tuple[str, ...]
    e2e_actions: tuple[str, ...]
    session_minutes: float
    carry_over_slots: bool
    store_entities_as_slots: bool
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoryEntity:
    """An entity that a story's user step mentions."""

    entity: str
    value: Any = None
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class UserStep:
    """The user says something: an intent with entities, and in tests or end-to-end stories its ``text``."""

    intent: str | None
    entities: tuple[StoryEntity, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ActionStep:
    """The bot acts; ``text`` instead of a name in end-to-end stories (`bot:`)."""

    name: str | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class SlotStep:
    """`slot_was_set`; ``any_value`` where the story names the slot only."""

    name: str
    value: Any = None
    any_value: bool = False


@dataclass(frozen=True, slots=True)
class LoopStep:
    """`active_loop`: a form starts, or (None) ends."""

    name: str | None


Step = UserStep | ActionStep | SlotStep | LoopStep


@dataclass(frozen=True, slots=True)
class Story:
    """One linear story, rule or test story; several come from one with `or` or checkpoints, all with its ``name``.

    Of a rule: ``condition`` must hold before its steps; a rule that begins with an action (after `...`) has
    ``starts_anywhere``; without ``waits`` the bot goes on after the last step.
    """

    name: str
    kind: Literal["story", "rule", "test"]
    steps: tuple[Step, ...]
    file: str
    line: int
    condition: tuple[SlotStep | LoopStep, ...] = ()
    conversation_start: bool = False
    starts_anywhere: bool = False
    waits: bool = True


@dataclass(frozen=True, slots=True)
class NluEntity:
    """An annotated span; offsets are code points of the sentence without markup."""

    entity: str
    value: str
    start: int
    end: int
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class NluExample:
    """One training sentence; ``intent`` may be a retrieval intent, `faq/ask_name`."""

    text: str
    intent: str
    entities: tuple[NluEntity, ...] = ()


@dataclass(frozen=True)
class NluData:
    """All training sentences; ``synonyms`` map a lower-case surface form to its value."""

    examples: tuple[NluExample, ...]
    synonyms: Mapping[str, str]
    lookups: Mapping[str, tuple[str, ...]]
    regexes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that the project says and Rejoinder does otherwise or not at all; never dropped silently."""

    file: str
    line: int
    what: str
    instead: str


@dataclass(frozen=True)
class RasaProject:
    """A whole project; ``pipeline`` and ``policies`` are config.yml's entries, ``endpoints`` and ``credentials`` the
    files' mappings ({} where there is none)."""

    path: Path
    assistant_id: str
    language: str
    domain: RasaDomain
    nlu: NluData
    stories: tuple[Story, ...]
    rules: tuple[Story, ...]
    tests: tuple[Story, ...]
    pipeline: tuple[Mapping[str, Any], ...]
    policies: tuple[Mapping[str, Any], ...]
    endpoints: Mapping[str, Any]
    credentials: Mapping[str, Any]
    unsupported: tuple[Unsupported, ...]
    fingerprint: str
    """SHA-256 over the files that training reads."""
