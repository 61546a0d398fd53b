"""Events for the tests of the log."""

from __future__ import annotations

from memory.dialogue import BotResponse, Button, Decision, DialogueAct, Entity, NLUResult, ScoredAct, SystemAct
from memory.events import BotUttered, Decided, Event, UserUttered


def turn(
    text: str = "thai food", message_id: str = "m1", reply: str = "Bangkok is nice", at: float = 1.0
) -> list[Event]:
    """A whole turn: three events."""
    nlu = NLUResult(
        text,
        (ScoredAct(DialogueAct("inform", "food", "thai"), 0.75),),
        (("inform", 0.75),),
        (Entity("food", "thai", 0, 4, 0.75, "crf"),),
        sentiment=0.5,
    )
    decision = Decision("offer", "learned", "v1", (0.5, float("nan")), (True, False), 0.9)
    system = SystemAct("offer", entity="Bangkok", answered=("phone",))
    response = BotResponse(reply, (Button("Yes", "/affirm"),), "https://example.org/a.png", {"map": [1, 2]})
    return [
        UserUttered(at, text, message_id, "rest", nlu),
        Decided(at, decision, system, {"nlu": 1.5}),
        BotUttered(at, (response,)),
    ]


def joined(text: str) -> str:
    """JSON can't tell a split surrogate pair from the character it spells; lone surrogates it keeps."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
