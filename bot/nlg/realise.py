"""From a system act to what is said, in the assistant's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from bot.assistant import Assistant
from bot.hours import WEEKDAYS
from bot.nlg.templates import Choose, Templates, Wording
from bot.preferences import PreferenceFilter
from memory.belief import top_values
from memory.conversation import Conversation
from memory.dialogue import DONTCARE, BotResponse, Button, NLUResult, SystemAct
from memory.turn import system_act
from policies.matching import ACCEPT, EntityMatcher
from policies.social import SocialDecision

_OFFER_BUTTONS = (Button("Book a table", "/book"), Button("Something else", "/reqalts"))
_RELAX_BUTTONS = (Button("Yes, show me", "/affirm"),)
_YES_NO = (Button("Yes", "/affirm"), Button("No", "/negate"))


class Realiser:
    """Words for system acts and social decisions; ``choose``, or else ``rng``, decides among equal wordings."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self.ontology = assistant.ontology
        self.templates = Templates(assistant.responses)
        self.matcher = EntityMatcher(assistant.ontology)
        self.preferences = PreferenceFilter(assistant.task.preferences, assistant.ontology.entities)

    def task(
        self, act: SystemAct, state: Conversation, nlu: NLUResult, rng: np.random.Generator, reference: str = "",
        choose: Choose | None = None,
    ) -> list[BotResponse]:  # fmt: skip
        """The replies of a task turn; ``state`` is the conversation after the user's turn."""
        turn = _Turn(self, act, state, nlu, rng, reference, choose)
        return turn.say()

    def social(
        self, decision: SocialDecision, state: Conversation, rng: np.random.Generator, choose: Choose | None = None
    ) -> list[BotResponse]:
        """The replies of a social turn, followed by the pending question where it should be resumed."""
        replies = self._social(decision, state, rng, choose)
        if decision.action == "restart" and self.preferences.known(state.preferences):
            worded = self.preferences.worded(state.preferences)
            replies.append(self.templates.choose("utter_preference_kept", worded, rng, choose=choose))
        if decision.resume:
            replies += self.pending_question(state, rng, choose)
        return replies

    def preface(self, state: Conversation, rng: np.random.Generator, choose: Choose | None = None) -> BotResponse:
        """The short apology before an answer to somebody who is upset."""
        return self._plain("utter_apologise", state, rng, choose)

    def _social(
        self, decision: SocialDecision, state: Conversation, rng: np.random.Generator, choose: Choose | None
    ) -> list[BotResponse]:
        match decision.action:
            case "repeat" if state.last_replies:
                return list(state.last_replies)
            case "repeat":
                return [self._plain("utter_repeat_unknown", state, rng, choose)]
            case "faq":
                entry = next((e for e in self.assistant.faq if e.id == decision.topic), None)
                if entry is None:  # a shortcut may name any topic
                    return [self._plain("utter_default", state, rng, choose)]
                answers = [Wording.of(f"faq/{entry.id}", str(answer), {}) for answer in entry.answers]
                chosen = answers[int(rng.integers(len(answers)))] if choose is None else choose("faq", answers)
                return [BotResponse(chosen.text)]
            case "chitchat":
                return [self._plain(f"utter_chitchat/{decision.topic}", state, rng, choose, default="utter_default")]
            case "handoff_offer":
                return [replace(self._plain("utter_handoff_offer", state, rng, choose), buttons=_YES_NO)]
            case "handoff_declined":
                return [self._plain("utter_help", state, rng, choose)]
            case action:
                return [self._plain(f"utter_{action}", state, rng, choose, default="utter_default")]

    def _plain(
        self, name: str, state: Conversation, rng: np.random.Generator, choose: Choose | None,
        default: str | None = None,
    ) -> BotResponse:  # fmt: skip
        task = self.assistant.task
        values = {"city": task.city, "phone": task.handoff_phone, "handoff_phone": task.handoff_phone}
        if state.bookings:
            booking = state.bookings[-1]
            values |= {"reference": booking.reference, "name": booking.entity}
            values["phone"] = self.entity_values(booking.entity).get("phone", task.handoff_phone)
        chosen = name if name in self.templates or default is None else default
        return self.templates.choose(chosen, values, rng, avoid=said(state.last_replies), choose=choose)

    def pending_question(
        self, state: Conversation, rng: np.random.Generator, choose: Choose | None = None
    ) -> list[BotResponse]:
        """The task's open question again, so that a digression does not lose the thread; empty when none is open."""
        act = system_act(self.ontology, state.belief.last)
        if act.kind not in ("request", "confirm", "select", "request_open", "confirm_booking"):
            return []
        return self.task(replace(act, answered=()), state, NLUResult(""), rng, choose=choose)

    def entity_values(self, entity: str) -> dict[str, str]:
        """All columns of one entity's row."""
        row = self.ontology.entity_index[entity.lower()]
        return {column: cells[row] for column, cells in self.ontology.entities.items()}

    def constraints(self, state: Conversation) -> dict[str, str]:
        """Slot -> accepted value, dontcare left out."""
        index, probability = top_values(self.ontology, state.belief)
        pairs = (self.ontology.values[v] for v, p in zip(index[0], probability[0], strict=True) if p > ACCEPT)
        return {slot: value for slot, value in pairs if value != DONTCARE}

    def phrase(self, constraints: dict[str, str], preferences: Sequence[str] = ()) -> str:
        """``thai food, a location in the north and cheap prices``."""
        parts = [self.assistant.task.phrases[slot].replace("{value}", value) for slot, value in constraints.items()]
        parts += [preference.phrase for preference in self.preferences.known(preferences)]
        if len(parts) < 2:
            return "".join(parts) or "these wishes"
        return f"{', '.join(parts[:-1])} and {parts[-1]}"

    def count(self, constraints: dict[str, str], preferences: Sequence[str] = ()) -> tuple[int, str]:
        """How many entities satisfy all ``constraints`` and lasting ``preferences``, and the first one's name."""
        eligible = self.preferences.eligible(preferences)
        fits = np.ones(self.ontology.num_entities, dtype=np.bool_) if eligible is None else eligible.copy()
        for pair in constraints.items():
            fits &= self.ontology.entity_matrix[:, self.ontology.value_index[pair]]
        first = int(np.argmax(fits))
        return int(fits.sum()), self.ontology.entity_names[first]


def said(replies: Sequence[BotResponse]) -> str:
    """The text of the replies, to avoid saying the same again."""
    return "\n".join(reply.text for reply in replies)


class _Turn:
    """One task turn being worded; holds what every part needs."""

    def __init__(
        self,
        by: Realiser,
        act: SystemAct,
        state: Conversation,
        nlu: NLUResult,
        rng: np.random.Generator,
        reference: str,
        choose: Choose | None,
    ) -> None:
        self.by, self.act, self.state, self.nlu, self.rng, self.reference = by, act, state, nlu, rng, reference
        self.chooses = choose
        self.wanted = by.constraints(state)
        self.avoid = said(state.last_replies)

    def choose(
        self, response: str, values: Mapping[str, str] | None = None, mention: frozenset[str] = frozenset()
    ) -> BotResponse:
        return self.by.templates.choose(
            response, values or {}, self.rng, avoid=self.avoid, mention=mention, choose=self.chooses
        )

    def say(self) -> list[BotResponse]:
        act = self.act
        match act.kind:
            case "request":
                return [self.choose(f"utter_request_{act.slot}")]
            case "confirm" | "select":
                values = {"value": act.value or "", "other": act.other or ""}
                reply = self.choose(f"utter_{act.kind}_{act.slot}", values)
                choices = _YES_NO if act.kind == "confirm" else tuple(_inform(act.slot, v) for v in values.values())
                return [replace(reply, buttons=reply.buttons or choices)]
            case "offer" | "alternative":
                return self.offer()
            case "offer_none" | "alternative_none":
                return self.nothing_found()
            case "answer":
                return [self.joined(self.answers() or [self.offer_text()], _OFFER_BUTTONS)]
            case "request_open":
                return [self.choose(f"utter_request_{act.slot}", self.row())]
            case "confirm_booking" | "booked":
                name = "utter_confirm_booking" if act.kind == "confirm_booking" else "utter_booked"
                return [self.choose(name, {**self.row(), **self.booking(), "reference": self.reference})]
            case "booking_failed":
                return [self.booking_failed()]
            case "reqmore" if self.current() is not None and self.wished():
                return [self.joined([self.current_text(), self.choose("utter_reqmore").text], _OFFER_BUTTONS)]
            case _:
                return [self.choose(f"utter_{act.kind}" if act.kind != "none" else "utter_default")]

    def row(self) -> dict[str, str]:
        if self.act.entity is None:
            return {"name": "there"}
        return self.by.entity_values(self.act.entity)

    def booking(self) -> dict[str, str]:
        ontology = self.by.ontology
        return {slot: shown(self.state.open_value(ontology, slot) or "?") for slot in ontology.open_slots}

    def offer_text(self) -> str:
        count, _ = self.by.count(self.wanted, self.state.preferences)
        mention = frozenset(self.wanted)
        if self.act.kind == "alternative":
            return self.choose("utter_alternative", self.row(), mention).text
        first_time = self.state.belief.venue[0] < 0 or self.act.entity != self.current()
        many = self.act.kind == "offer" and count > 2 and first_time and "utter_offer_many" in self.by.templates
        return self.choose(
            "utter_offer_many" if many else "utter_offer", {**self.row(), "count": str(count)}, mention
        ).text

    def wished(self) -> bool:
        """Whether the user has just named a wish: "anything else?" alone would sound as if it went unheard."""
        slots = self.by.ontology.slot_index
        return any(s.act.type == "inform" and s.act.slot in slots and s.confidence > ACCEPT for s in self.nlu.acts)

    def current_text(self) -> str:
        name = self.current() or ""
        return self.choose("utter_offer", self.by.entity_values(name), frozenset(self.wanted)).text

    def current(self) -> str | None:
        e = int(self.state.belief.venue[0])
        return self.by.ontology.entity_names[e] if e >= 0 else None

    def offer(self) -> list[BotResponse]:
        if self.act.kind == "offer" and self.act.answered and self.act.entity == self.current():
            return [self.joined(self.answers(), _OFFER_BUTTONS)]
        before, after = self.preferred()
        return [self.joined([*before, self.offer_text(), *self.answers(), *after], _OFFER_BUTTONS)]

    def preferred(self) -> tuple[list[str], list[str]]:
        """What lasting preferences have to do with the venue that is offered, to be said before and after it."""
        held, entity = self.by.preferences, self.act.entity or ""
        eligible, worded = held.eligible(self.state.preferences), held.worded(self.state.preferences)
        if eligible is None:
            return [], []
        if not eligible[self.by.ontology.entity_index[entity.lower()]]:  # the user has named it
            return [], [self.choose("utter_preference_unsuited", {"name": entity, **worded}).text]
        if entity == self.current():
            return [], []
        return [self.choose("utter_preference_applied", worded).text], []

    def answers(self) -> list[str]:
        row = self.row()
        return [self.answer(attribute, row) for attribute in self.act.answered]

    def answer(self, attribute: str, row: dict[str, str]) -> str:
        said = (s.act for s in self.nlu.acts if s.act.type == "confirm" and s.act.slot == attribute)
        asked = {act.value for act in said if act.value is not None}
        name, value = f"utter_answer_{attribute}", row[attribute]
        if asked and "utter_confirm_yes" in self.by.templates:
            # "is it vegetarian?" is heard as a question about the cuisine, and means what the preference means
            diet = [] if value in asked else [p.phrase for p in self.by.preferences.met(row, sorted(asked))]
            name = "utter_confirm_yes" if value in asked or diet else "utter_confirm_no"
            value = " and ".join(diet) or value
        return self.choose(name, {"name": row[self.by.ontology.key], "value": value}).text

    def nothing_found(self) -> list[BotResponse]:
        act, by, held = self.act, self.by, self.state.preferences
        if act.kind == "alternative_none":
            return [self.choose("utter_no_alternative", {"constraints": by.phrase(self.wanted, held)})]
        food = self.wanted.get(act.slot or "")
        unserved = f"utter_{act.slot}_unserved"
        if food and by.count({str(act.slot): food})[0] == 0 and unserved in by.templates:
            texts = [self.choose(unserved, {str(act.slot): food}).text]
        else:
            texts = [self.choose("utter_offer_none", {"constraints": by.phrase(self.wanted, held)}).text]
        remaining = {slot: value for slot, value in self.wanted.items() if slot != act.slot}
        count, example = by.count(remaining, held)
        if act.slot is None or count == 0 or "utter_relax" not in by.templates:
            return [self.joined(texts, ())]
        dropped = by.phrase({act.slot: self.wanted[act.slot]}) if act.slot in self.wanted else act.slot
        texts.append(self.choose("utter_relax", {"dropped": dropped, "count": str(count), "name": example}).text)
        return [self.joined(texts, _RELAX_BUTTONS)]

    def booking_failed(self) -> BotResponse:
        if self.act.slot == "people":
            limit = str(self.by.assistant.task.party_limit)
            return self.choose("utter_booking_party_too_large", {"people": self.booking()["people"], "limit": limit})
        return self.choose("utter_booking_closed", {**self.row(), **self.booking()})

    def joined(self, texts: Sequence[str], buttons: tuple[Button, ...]) -> BotResponse:
        return BotResponse(" ".join(dict.fromkeys(texts)), buttons)


def shown(value: str) -> str:
    """An open value as people write it: ``friday`` -> Friday, ``2026-12-05`` -> 5 December."""
    if value in WEEKDAYS:
        return value.capitalize()
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    return f"{day.day} {day:%B}"


def _inform(slot: str | None, value: str) -> Button:
    return Button(value, f'/inform{{"{slot}": "{value}"}}')
