"""Acts read off the words, for corpora that annotate wishes and questions only.

WOZ 2.0 and CamRest676 say which slots a user informs or asks for and which slots the system asks about. Greetings,
thanks, yes and no, "anything else?", and what the system offers or tells are not annotated; the patterns below read
them off the sentence. They are deliberately few, so that one can see what the fitted numbers rest on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from memory.dialogue import DONTCARE, DialogueAct
from simulator.corpora.dialogues import NAME

_USER = (
    ("hello", r"^\W*(hi|hello|hey|good (morning|afternoon|evening))\b"),
    ("thankyou", r"\b(thanks?|thank you|thankyou|appreciate)\b"),
    ("bye", r"\b(bye|good ?bye|good ?night|good day|have a (nice|good|great|lovely|wonderful))\b"),
    ("reqalts", r"\b(anything|something|anywhere|somewhere|what|who) else\b|\banother\b|\balternative"
                r"|\bany others?\b|\bother (one|option|choice|restaurant|place|venue)"
                r"|\bdifferent (one|restaurant|place)"),
    ("negate", r"^\W*(no|nope|nah)\b(?! preference)|\bnot what i"),
    ("affirm", r"^\W*(yes|yeah|yep|yup|sure|please do|sounds (good|great)|that('?s| is| would be| works| sounds)"
               r" (right|correct|fine|good|great|perfect))\b"),
    ("ack", r"^\W*(ok|okay|alright|all right|great|perfect|excellent|wonderful|cool)\b"),
)  # fmt: skip
_USER_PATTERNS = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _USER)
_INDIFFERENT = re.compile(
    r"\b(does ?n['o ]*t matter|(do|don) ?n?['o ]*t (really )?(care|mind)|no preference|any\w* (is|will|would be)"
    r" (fine|do|ok\w*|good)|whatever|not picky|either (is|one))",
    re.IGNORECASE,
)

_NONE = re.compile(
    r"\b(no|zero) (other |such |more )?([\w'-]+ ){0,5}?(restaurants?|places?|match\w*|results?|records?|listings?"
    r"|venues?|options?)\b|\b((can|could|do|did|was|am|are) ?not|(ca|could|do|did|was|are)n['’]?t)"
    r" (\w+ )?(able to )?(find|have|see|any|match|locate)|\b(unable to|not able to) (find|have|locate)"
    r"|\bdon['’]?t seem to|\bnone\b|\bthere (are|is)( unfortunately)?( not|n['’]t)\b|\bno match"
    r"|\bnothing (match|avail|in)",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"\b(\d+|many|several|a lot of|lots of|plenty of|a number of|quite a few|a few|some) "
    r"([\w'-]+ ){0,4}(restaurants|places|options|venues|choices|results|matches)\b",
    re.I,
)
_MORE = re.compile(r"\b(anything|something) (else|more)\b|\belse (i|may|can)\b|\b(can|may) i help you( with|\?)", re.I)
_BYE = re.compile(r"\b(good ?bye|bye|have a (nice|good|great|lovely|wonderful)|enjoy (your|the))\b", re.I)
_TOLD = {
    "phone": re.compile(r"\b\d{5,}\b|\b0\d{2,4}[ -]?\d{3,}"),
    "postcode": re.compile(r"\bc\.? ?b\.? ?\d|\bpost ?code (is|for)", re.I),
    "address": re.compile(
        r"\d+ ?-?,? ?\d* [a-z'.]+ ([a-z'.]+ )?(road|street|lane|avenue|way|passage|parade|square|court|crescent|rd"
        r"|st)\b"
        r"|\blocated (at|on)\b|\baddress(es)? (is|are|and)\b|\b(street|road|avenue|lane|crescent)\b[^?]*$",
        re.I,
    ),
}
_OFFER = re.compile(
    r"\b(is|are) (a|an|one|located|in|on|at|listed)\b|\bserv(es|ing)\b|\bhow about\b|\b(recommend|suggest|try)\b"
    r"|\bthere (is|are|'s)\b|\bi (have|found|show)\b|\bcalled\b|\bwould you like (the|their|its|more|to)\b",
    re.IGNORECASE,
)


def user_flow(text: str, *, answered: bool) -> list[DialogueAct]:
    """The acts without a value in a user's sentence; ``answered``: it is annotated to say "I don't mind" already."""
    found = [DialogueAct(name) for name, pattern in _USER_PATTERNS if pattern.search(text)]
    types = {act.type for act in found}
    if "affirm" in types or "thankyou" in types:
        found = [act for act in found if act.type != "ack"]
    if not answered and _INDIFFERENT.search(text):
        found.append(DialogueAct("inform", None, DONTCARE))
    return found


def system_acts(
    text: str,
    asked: Iterable[str],
    proposed: Iterable[tuple[str, str]],
    wanted: Collection[str],
    slots: Collection[str],
    venues: Collection[str] = (),
) -> tuple[DialogueAct, ...]:
    """What the system did with ``text``.

    ``asked`` and ``proposed`` are the annotated questions and values to confirm; ``wanted`` the attributes the user
    just asked for: an answer that neither asks nor refuses counts as telling them all, others count as told when the
    sentence shows one (a number, a street, a post code). A sentence that asks nothing, refuses nothing, counts
    nothing ("many places") and tells something about a venue (or names one of ``venues``, lower case) is an offer.
    """  # fmt: skip
    if not text.strip():
        return ()
    none = bool(_NONE.search(text))
    acts = [DialogueAct("offer_none")] if none else []
    acts += [DialogueAct("confirm", slot, value) for slot, value in proposed]
    asks = [slot for slot in asked if slot in slots]
    if not none:
        told = [name for name, pattern in _TOLD.items() if pattern.search(text)]
        told += [name for name in wanted if name not in told and not asks]
        named = next((venue for venue in sorted(venues, key=len, reverse=True) if venue in text.lower()), None)
        answers = bool(told) or bool(wanted)
        if named or (not asks and not acts and not answers and _OFFER.search(text) and not _MANY.search(text)):
            acts.append(DialogueAct("offer", NAME, named))
        elif told and not wanted:
            acts.append(DialogueAct("offer", NAME, None))
        acts += [DialogueAct("inform", name) for name in told]
    acts += [DialogueAct("request", slot) for slot in asks]
    if _MORE.search(text) and not none:
        acts.append(DialogueAct("reqmore"))
    if _BYE.search(text) or not acts:
        acts.append(DialogueAct("bye" if _BYE.search(text) else "reqmore"))
    return tuple(acts)
