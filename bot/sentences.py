"""What one sentence of a message is for, by its form: the memory of statements, or the task.

It leans towards the task: a sentence is for the memory only when its form says so and nothing in it belongs to the
assistant's subject (its slot values, wishes, bookings, the word "you").

    "remember that ..."                      -> statement        explicit cue, always
    "forget what I told you about ..."       -> forget           explicit cue, always (``bot.topics``)
    "what do you remember?"                  -> list             explicit cue, always (``bot.topics``)
    "I'm vegetarian"                         -> preference       where the assistant declares it (``bot.preferences``)
    "did I tell you ...", "what did I say"   -> question         explicit cue, always
    a question, mostly of known words        -> question         never about "it", "you" or the assistant's subject
    "where is my ...", after a statement     -> question         as above, never "where can I ..."
    "<I/my x/Priya> <verb of the world> ..." -> statement        never a wish
    "then she took it ..."                   -> statement        only after another one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from bot.clauses import plain
from bot.topics import POLITE, forgetting, listing

KNOWN_SHARE = 0.5
"""A question without a cue goes to the memory when at least this share of its content words was mentioned before."""

Kind = Literal["statement", "question", "forget", "task"]

_KEEP = re.compile(
    POLITE + r"(?:r[em]{2,6}b[er]{1,3}|note|keep in mind|bear in mind|don't forget|do not forget)"
    r"\s*(?:this|that|:)?[:,]?\s+(?P<what>(?=\S)(?!(?:this|that|it|these|all that|all this)\W*$).*\w.*)$",
    re.IGNORECASE,
)  # fmt: skip
_ASK = re.compile(
    r"\b(?:did|have) i (?:ever )?(?:tell|told|say|said|mention|mentioned|leave|left|put|hide|lose|park|"
    r"take|buy|bring|pack|give|lend|move|meet)\b"
    r"|\b(?:what|how many [\w-]+) (?:am i (?:carrying|holding|wearing)|do i (?:have|own)|have i got)\b(?! to)"
    r"|\bdo you (?:remember|recall) (?!that|this)"
    r"|\bwhat do you (?:know|remember) about (?:me|my)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    POLITE + r"(?:where|when|who|whose|whom|what|which|how many|is|was|did|does|has|have|had|are|were|am|do)\b",
    re.IGNORECASE,
)
_OF_MINE = re.compile(
    POLITE + r"(?:where|when|who|whose|whom|how many)(?:(?:'s|'re)?(?: [\w'-]+){0,3}? (?:my|our)\b"
    r"|(?: [\w'-]+){0,3}? (?:did|was|were|have|had|am|does) (?:i|we)\b)"
    r"|^what (?:am|was) i\b",
    re.IGNORECASE,
)
_WHAT_OF_MINE = re.compile(
    POLITE + r"(?:what|which)(?:(?:'s|'re| is| are| was| were)(?: the| now)? (?:my|our)"
    r"|(?: [\w'-]+){0,3}? (?:did|was|were|have|had|am|does) (?:i|we|my|our))\b",
    re.IGNORECASE,
)
_OF_THEM = re.compile(
    POLITE + r"(?:where|when|who|whose|whom|how many|what|which)(?: [\w'-]+){0,2}? "
    r"(?:(?:did|was|were|has|have|had) (?:it|they|he|she)|(?:is|are) (?:he|she))\b",
    re.IGNORECASE,
)
_OWN = re.compile(
    POLITE + r"(?:where|when|who|what|which|how many)(?: [\w'-]+){0,2}? do (?:i|we) "
    r"(?:live|work|own|study|keep|have|play|teach)\b(?! to)",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    POLITE + r"(?:\w+)(?: [\w'-]+){0,3}? (?:can|could|should|shall|may|might|must|would|will|do|to) (?:i|we)\b"
    r"|^(?:what|where|when|who) (?:if|happens)\b|^do (?:i|we) (?!have\b)",
    re.IGNORECASE,
)
_ABOUT_BOT = re.compile(r"\b(?:you|your|yours|you're|there)\b", re.IGNORECASE)
_ABOUT_VENUE = re.compile(r"\b(?:it|its|it's|they|their)\b", re.IGNORECASE)
_WISH = re.compile(
    r"\b(?:want|wants|wanted|need|needs|wish|would|'d|prefer|fancy|craving|looking|searching|find|show|booking|"
    r"(?<!the )(?<!a )(?<!my )(?<!her )(?<!his )book|"
    r"reserve|reservation|table|tables|restaurant|restaurants|place|somewhere|anywhere|something|anything|food|venue|"
    r"cuisine|price|prices|menu|phone number|(?<!my )(?<!our )(?<!'s )phone|address|postcode|"
    r"hungry|starving|stomach|booked|cancel|recommend|suggest|"
    r"fine|ok|okay|perfect|sounds|good|great|too|enough|better|one|ones|name is|name's|surname|"
    r"reference|people|persons|guests|don't care|don't mind|told|asked|mean|meant|said)\b",
    re.IGNORECASE,
)
_PAST = (
    r"left|put|went|took|gave|met|bought|lost|found|kept|hid|got|had|saw|ate|drove|flew|sold|broke|sent|brought|"
    r"moved|parked|dropped|picked|handed|passed|placed|packed|travelled|lent|stored|locked|visited|journeyed|"
    r"forgot|grew up|married|finished|started"
)
_STANDING = r"live|lives|work|works|own|owns|has|keep|keeps|study|studies|play|plays|sleeps|teaches|drives|speaks"
_OTHERS = rf"is|are|was|were|'s|{_PAST}|{_STANDING}|likes|loves|hates|will|flies|arrives|leaves|said|told"
_MINE = re.compile(
    rf"^(?:i|we)\s+(?:(?:have|just|also|already|always|never|still)\s+)*(?:{_PAST}|{_STANDING})\s+\S+"
    r"|^(?:i|we)(?:'ll| will|'m going to| am going to) "
    r"(?:be (?:in|at|with|away|back|home)|fly|travel|meet|stay|visit|move)\b"
    r"|^i(?:'m| am) (?:allergic|vegetarian|vegan|coeliac|diabetic|from|born|a|an|married|flying|travelling|staying|"
    r"meeting|seeing|visiting)\b"
    r"|^(?:i|we)(?:'m|'re| am| are) (?:in|at) .*\b(?:on|until|from|tomorrow|tonight|next)\b",
    re.IGNORECASE,
)
_WHEN_FIRST = re.compile(
    r"^(?:(?:on|in|at|next|this|last) [\w']+(?: [\w']+)?|today|tomorrow|tonight|yesterday),? (?=(?:i|we)\b)",
    re.IGNORECASE,
)
_BE_SOMEWHERE = re.compile(r"(?:i|we)(?:'m|'re|'ll be| am| are| was| were| will be) (?:in|at|with)\b", re.IGNORECASE)
_ABOUT_MINE = re.compile(rf"^(?:my|our)\s+(?:[\w'-]+\s+){{1,4}}?(?:{_OTHERS})\b(?!n't\W*$)\W+\w", re.IGNORECASE)
_ABOUT_OTHER = re.compile(
    rf"^(?:[A-Z][\w-]+(?: and (?:[A-Z][\w-]+|I))?|[Tt]he [\w-]+(?: [\w-]+)?|[Hh]e|[Ss]he)"
    rf"(?: |(?='s ))(?:{_OTHERS})\s+\S+"
)
_ABOUT_LOWER = re.compile(  # a name in lower case: only with a verb and what goes with it
    rf"^(?P<name>[a-z][\w-]{{2,}}) (?:then )?(?:has|{_PAST}|lives|works|moved)\s+"
    r"(?:to|in|at|from|on|with|the|my|our|his|her|an?|me|us|it|them)\b"
)
_CONTINUED = re.compile(
    r"^(?:(?:then|later|afterwards|after that|and|also|next|actually|sorry)[,\s]+)*(?:i|we|he|she|they)\s+"
    rf"(?:then\s+|later\s+)?(?:{_PAST})\s+\S+",
    re.IGNORECASE,
)
_CORRECTED = re.compile(
    r"^(?:no|nope|actually|sorry|wait|i mean|correction)[,:\s]+(?:no[,\s]+)?"
    r"(?:it|they|he|she|(?:the|my|our) [\w-]+(?: [\w-]+)?)"
    r"(?:(?:'s|'re| is| was| are| were)(?: (?:now|actually))? (?:on|in|at|under|behind|with|next|my|our|a|an)\b\s+\S+"
    r"|(?:'s| has| have| is| was| were)? (?:now |been )?(?:moved|changed|went|lives|works)\b\s+\S+"
    r"|(?:'s|'re| is| are) (?!(?:wrong|right|fine|true|not|nothing|no|all|bad|late|early|over)\b)[\w'-]+[\s.!]*$)",
    re.IGNORECASE,
)
_PREFERENCE = re.compile(r"(?:i|we)\b", re.IGNORECASE)
_PASSED_ON = re.compile(rf"^[A-Z][\w-]+(?: and (?:[A-Z][\w-]+|I))? (?:{_PAST})\b")
_NOT_NAMES = frozenset(
    {"it", "that", "this", "there", "let", "what", "which", "where", "these", "those", "here", "yes", "no"}
)
_INTERROGATIVE = re.compile(POLITE + r"(?:where|when|who|whose|what|which|how|why)\b", re.IGNORECASE)
_NO_LOWER_NAMES = _NOT_NAMES | frozenset(
    re.findall(
        r"\w+",
        "who whoever how why when everyone everybody everything someone somebody something anyone anybody anything "
        "nobody nothing none all both many most some any each other others another you they one two three people "
        "guests staff waiter waitress waiters chef service food order bill kitchen venue and but the not never just "
        "only also then now prices",
    )
)


def is_question(sentence: str) -> bool:
    """Whether it begins as a question that statements could answer."""
    return _QUESTION.match(sentence) is not None


def has_cue(sentence: str) -> bool:
    """Whether it says in so many words that it is for the memory: "remember that ...", "did I tell you ..."."""
    return _KEEP.match(sentence) is not None or _ASK.search(sentence) is not None


class SentenceSorter:
    """Sorts the sentences of a message by what they are for.

    ``subject`` are the words of the assistant's own subject (its slot values), ``names`` those of its entities, as they
    are written: a sentence with one of them is the task's unless an explicit cue says otherwise.
    """

    def __init__(self, subject: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        words = sorted({re.escape(value.lower()) for value in subject if value}, key=len, reverse=True)
        self._subject = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE) if words else None
        named = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
        self._named = re.compile(rf"\b(?:{'|'.join(named)})\b") if named else None

    def kind(
        self, sentence: str, known_share: float = 0.0, *, follows: bool = False, continues: bool = False
    ) -> tuple[Kind, str]:
        """What one sentence is for, and the statement or question in it without its cue.

        ``follows``: something is remembered already, which "it" and "she" can refer to; ``continues``: it was said
        just before, so that "no, it's on Monday" corrects it and "what did they buy?" means them.
        """
        text = plain(sentence)
        if text.startswith("/"):  # a button's shortcut
            return "task", text
        wanted = forgetting(text)
        if wanted is not None and wanted.scope in ("all", "about"):
            return "forget", text
        if listing(text) is not None:
            return "question", text
        if _ASK.search(text):
            return "question", text
        kept = _KEEP.match(text)
        if kept is not None and not text.endswith("?"):
            return "statement", kept["what"].strip()
        if follows and _CONTINUED.match(text) and not text.endswith("?") and not self.of_subject(text):
            return "statement", text
        if continues and _CORRECTED.match(text) and not text.endswith("?") and not self.of_subject(text):
            return "statement", text
        if follows and _PASSED_ON.match(text) and not self._of_task(text) and self._states(text):
            return "statement", text
        if self._of_task(text) or (_ABOUT_VENUE.search(text) and not (continues and is_question(text))):
            return "task", text
        if is_question(text) or text.endswith("?"):
            of_them = continues and _OF_THEM.match(text) is not None
            return ("question" if of_them or self._asks(text, known_share, follows) else "task"), text
        return ("statement" if self._states(text) else "task"), text

    def of_subject(self, text: str) -> bool:
        """Whether it names a wish, a slot value or an entity of the assistant's."""
        if _WISH.search(text):
            return True
        return any(words is not None and words.search(text) is not None for words in (self._subject, self._named))

    def is_preference(self, statement: str) -> bool:
        """Whether a statement to be kept is a wish in the task's words too ("remember that I like thai food")."""
        return bool(_PREFERENCE.match(statement) and self._subject is not None and self._subject.search(statement))

    def _asks(self, text: str, known_share: float, follows: bool) -> bool:
        """Whether a question without a cue asks for what was stated."""
        if _OWN.match(text):
            return True
        if not is_question(text) or _ADVICE.match(text):
            return False
        what = follows and known_share > 0 and _WHAT_OF_MINE.match(text) is not None
        return what or known_share >= KNOWN_SHARE or _OF_MINE.match(text) is not None

    def _of_task(self, text: str) -> bool:
        return _ABOUT_BOT.search(text) is not None or self.of_subject(text)

    def _states(self, text: str) -> bool:
        text = re.sub(POLITE, "", text, flags=re.IGNORECASE)
        then = _WHEN_FIRST.match(text)
        if then is not None:
            return bool(_BE_SOMEWHERE.match(text, then.end()) or _MINE.match(text[then.end() :]))
        if text.split(" ", 1)[0].lower().removesuffix("'s") in _NOT_NAMES:
            return False
        lower = _ABOUT_LOWER.match(text)
        if lower is not None and lower["name"] not in _NO_LOWER_NAMES:
            return True
        return any(form.match(text) for form in (_MINE, _ABOUT_MINE, _ABOUT_OTHER))

    def states(self, clause: str) -> bool:
        """Whether a clause has the form of a statement, with its verb and what belongs to it."""
        return self._states(clause) or _CONTINUED.match(clause) is not None or _CORRECTED.match(clause) is not None

    def is_wish(self, clause: str) -> bool:
        """Whether a clause beside statements is plainly the task's; what is asked may be about the statements."""
        return self.of_subject(clause) and _INTERROGATIVE.match(clause) is None
