"""Filling an assistant's response templates.

``{slot}`` is replaced in one pass and values are never scanned again, so that nothing a person typed can become a
template (no ``str.format``: it would reach into attributes).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.assistant import Variant
from memory.dialogue import BotResponse

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to say something: ``text`` as it would be said, with the values (``facts``) that fill it; ``key`` names
    the wording, whatever they are.
    """

    key: str
    text: str
    facts: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, template: str, values: Mapping[str, str]) -> Wording:
        """``template``, a wording of ``name``, filled; the key survives that wordings are rearranged."""
        key = f"{name}#{zlib.crc32(template.encode('utf-8', 'surrogatepass')):08x}"
        facts = tuple(values[slot] for slot in sorted(placeholders(template)) if slot in values)
        return cls(key, fill(template, values), facts)


Choose = Callable[[str, Sequence[Wording]], Wording]
"""Content type (templates, faq) and equal wordings -> the one to say."""


class ResponseError(LookupError):
    """A response is not in the domain; the message names it."""


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return set(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with every known placeholder replaced; an unknown one is left as it stands."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


class Templates:
    """The responses of one assistant with a choice among equal wordings."""

    def __init__(self, responses: Mapping[str, Sequence[Variant]]) -> None:
        self.responses = responses

    def __contains__(self, name: str) -> bool:
        return bool(self.responses.get(name))

    def candidates(self, name: str, values: Mapping[str, str], mention: frozenset[str] = frozenset()) -> list[Wording]:
        """Filled wordings of ``name``, those that mention the most of ``mention`` first, none with a gap.

        ResponseError when the domain has no such response or none of its wordings can be filled.
        """
        variants = self.responses.get(name)
        if not variants:
            raise ResponseError(f"the domain has no response {name!r}: add it to domain.yml under `responses`")
        whole = [v for v in variants if placeholders(v.text) <= values.keys()]
        if not whole:
            missing = sorted(placeholders(variants[0].text) - values.keys())
            raise ResponseError(f"response {name!r} needs {missing}, which are not known here: correct domain.yml")
        best = max(len(placeholders(v.text) & mention) for v in whole)
        chosen = (v.text for v in whole if len(placeholders(v.text) & mention) == best)
        return [Wording.of(name, text, values) for text in chosen]

    def choose(
        self,
        name: str,
        values: Mapping[str, str],
        rng: np.random.Generator,
        *,
        avoid: str = "",
        mention: frozenset[str] = frozenset(),
        choose: Choose | None = None,
    ) -> BotResponse:
        """One wording, not one that ``avoid`` (what was just said) already holds if there is another.

        ``choose`` decides among the others; without it ``rng`` draws evenly. Buttons of any wording belong to the
        response: they are given whichever wording is chosen.
        """
        wordings = self.candidates(name, values, mention)
        fresh = [wording for wording in wordings if wording.text not in avoid] or wordings
        variants = self.responses[name]
        buttons = next((v.buttons for v in variants if v.buttons), ())
        image = next((v.image for v in variants if v.image), None)
        chosen = fresh[int(rng.integers(len(fresh)))] if choose is None else choose("templates", fresh)
        return BotResponse(chosen.text, buttons, image)
