"""Every reader turns its format into the common form, and says where a file is wrong."""

from __future__ import annotations

import asyncio
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from memory.dialogue import Decision, DialogueAct, NLUResult, ScoredAct, SystemAct
from memory.events import Booked, Decided, Event, HandedOff, UserUttered
from memory.store import SqliteStore
from simulator.corpora.dialogues import CorpusDialogue, CorpusError, CorpusGoal, CorpusTurn, fingerprint, split
from simulator.corpora.load import CORPORA, load_corpus
from simulator.corpora.phrases import system_acts, user_flow
from simulator.corpora.tcbot import tcbot_table


def acts(texts: tuple[DialogueAct, ...]) -> list[str]:
    return [str(act) for act in texts]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def woz_turn(text: str, said: str, labels: list[list[str]], asked: list[Any] | None = None) -> dict[str, Any]:
    return {
        "transcript": text, "system_transcript": said, "system_acts": asked or [], "turn_label": labels,
        "belief_state": [],
    }  # fmt: skip


WOZ = [
    {
        "dialogue_idx": 4,
        "dialogue": [
            woz_turn("hello, a swiss place please", "", [["food", "swiss"]]),
            woz_turn(
                "then italian, anywhere", "Sorry, there are no swiss restaurants.",
                [["food", "italian"], ["area", "dontcare"]],
            ),
            woz_turn("what's the phone number?", "Prezzo is an italian place in the west.", [["request", "phone"]]),
            woz_turn("thanks, bye", "It is 01223 799526.", []),
        ],
    }
]  # fmt: skip


def test_woz2(tmp_path: Path) -> None:
    [dialogue] = load_corpus("woz2", write(tmp_path / "woz.json", WOZ))
    assert dialogue.id == "woz2-4"
    assert dialogue.goal == CorpusGoal({"food": "italian"}, ("phone",), first_choice={"food": "swiss"})
    assert [acts(turn.system) for turn in dialogue.turns] == [
        [], ["offer_none()"], ["offer(name)"], ["inform(phone)"],
    ]  # fmt: skip
    assert [acts(turn.user) for turn in dialogue.turns] == [
        ["hello()", "inform(food=swiss)"], ["inform(food=italian)", "inform(area=dontcare)"], ["request(phone)"],
        ["thankyou()", "bye()"],
    ]  # fmt: skip
    assert dialogue.completed
    assert dialogue.turns[3].system_text == "It is 01223 799526."


def camrest(**changes: Any) -> dict[str, Any]:
    inform = {"act": "inform", "slots": [["area", "north"]]}
    ask = {"act": "request", "slots": [["slot", "phone"]]}
    return {
        "dialogue_id": 9, "finished": False,
        "goal": {"constraints": [["area", "north"], ["food", "dontcare"]], "request-slots": ["phone", "postcode"]},
        "dial": [
            {"usr": {"transcript": "north please", "slu": [inform]}, "sys": {"sent": "the nirala it is", "DA": []}},
            {"usr": {"transcript": "phone?", "slu": [inform, ask]}, "sys": {"sent": "01223 360966", "DA": []}},
            {"usr": {"transcript": "thank you", "slu": [inform]}, "sys": {"sent": "goodbye", "DA": []}},
        ],
        **changes,
    }  # fmt: skip


def test_camrest_tells_what_is_new_and_knows_venues_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "CamRest.json", '# a comment\n[{"name": "The Nirala"}]')
    [dialogue] = load_corpus("camrest", write(tmp_path / "c.jsonl", json.dumps(camrest()) + "\n\n"))
    assert dialogue.goal == CorpusGoal({"area": "north"}, ("phone", "postcode"))
    assert not dialogue.completed
    assert [acts(turn.user) for turn in dialogue.turns] == [["inform(area=north)"], ["request(phone)"], ["thankyou()"]]
    assert acts(dialogue.turns[1].system) == ["offer(name=the nirala)"]
    assert acts(dialogue.turns[2].system) == ["inform(phone)"]


def multiwoz(**changes: Any) -> dict[str, Any]:
    def line(text: str, **found: list[list[str]]) -> dict[str, Any]:
        return {"text": text, "dialog_act": {name.replace("_", "-"): pairs for name, pairs in found.items()}}

    return {
        "dialogue_id": "SNG1",
        "goal": {
            "restaurant": {
                "info": {"area": "east"}, "fail_info": {"area": "west"}, "reqt": ["phone"],
                "book": {"people": "2", "day": "friday", "invalid": False},
            },
            "taxi": {}, "message": ["..."],
        },
        "log": [
            line("west", Restaurant_Inform=[["Area", "west"]]),
            line("none", Restaurant_NoOffer=[["Area", "west"]]),
            line("east then", Restaurant_Inform=[["Area", "east"]], general_thank=[["none", "none"]]),
            line("X. how many?", Restaurant_Recommend=[["Name", "X"]], Booking_Request=[["People", "?"]]),
            line("2", Restaurant_Inform=[["People", "2"]], Restaurant_Request=[["Phone", "?"]]),
            line("done", Booking_Book=[["Ref", "A1"]]),
        ],
        **changes,
    }  # fmt: skip


def test_multiwoz_keeps_dialogues_about_a_restaurant_only(tmp_path: Path) -> None:
    other = multiwoz(goal={"hotel": {"info": {"area": "east"}}, "restaurant": {"info": {}}})
    lines = json.dumps(multiwoz()) + "\n" + json.dumps(other)
    [dialogue] = load_corpus("multiwoz", write(tmp_path / "m.jsonl", lines))
    assert dialogue.goal == CorpusGoal(
        {"area": "east"}, ("phone",), True, {"people": "2", "day": "friday"}, {"area": "west"}
    )
    assert acts(dialogue.turns[1].system) == ["offer_none()"]
    assert acts(dialogue.turns[2].system) == ["offer(name=x)", "request(people)"]
    assert acts(dialogue.turns[2].user) == ["inform(people=2)", "request(phone)"]


SCHEMA = [
    {
        "service_name": "R_1",
        "slots": [{"name": name} for name in ("restaurant_name", "cuisine", "party_size", "phone_number")],
        "intents": [
            {"name": "Find", "is_transactional": False, "required_slots": ["cuisine"], "optional_slots": {}},
            {
                "name": "Book", "is_transactional": True, "required_slots": ["restaurant_name", "party_size"],
                "optional_slots": {},
            },
        ],
    }
]  # fmt: skip


def sgd(service: str = "R_1") -> dict[str, Any]:
    def turn(speaker: str, intent: str, *actions: tuple[str, str, str]) -> dict[str, Any]:
        found = [{"act": act, "slot": slot, "canonical_values": [v] if v else []} for act, slot, v in actions]
        return {
            "speaker": speaker, "utterance": speaker, "frames": [{"actions": found, "state": {"active_intent": intent}}]
        }  # fmt: skip

    return {
        "dialogue_id": "1_00", "services": [service],
        "turns": [
            turn("USER", "Find", ("INFORM_INTENT", "intent", "Find"), ("INFORM", "cuisine", "Thai")),
            turn("SYSTEM", "", ("OFFER", "restaurant_name", "Bo"), ("OFFER", "cuisine", "Thai")),
            turn("USER", "Book", ("INFORM_INTENT", "intent", "Book"), ("INFORM", "party_size", "2")),
            turn("SYSTEM", "", ("CONFIRM", "party_size", "2"), ("CONFIRM", "restaurant_name", "Bo")),
            turn("USER", "Book", ("AFFIRM", "", ""), ("REQUEST", "phone_number", "")),
            turn("SYSTEM", "", ("NOTIFY_FAILURE", "", ""), ("INFORM", "phone_number", "123")),
        ],
    }  # fmt: skip


def test_sgd_reads_roles_from_the_schema(tmp_path: Path) -> None:
    write(tmp_path / "schema.json", SCHEMA)
    [dialogue] = load_corpus("sgd", write(tmp_path / "d.jsonl", sgd()))
    assert dialogue.goal == CorpusGoal({"food": "thai"}, ("phone",), True, {"people": "2"})
    assert [acts(turn.user) for turn in dialogue.turns] == [
        ["inform(food=thai)"], ["book()", "inform(people=2)"], ["request(phone)", "affirm()"][::-1],
    ]  # fmt: skip
    assert acts(dialogue.turns[1].system) == ["offer(name=bo)", "inform(food=thai)"]
    assert acts(dialogue.turns[2].system) == ["confirm_booking()"]


def test_tcbot_goals_and_table(tmp_path: Path) -> None:
    goals = [
        {"inform_slots": {"city": "Seattle", "numberofpeople": "2", "moviename": "X"}, "request_slots": {"date": "UNK"}}
    ]
    [dialogue] = load_corpus("tcbot", write(tmp_path / "g.json", goals))
    assert dialogue.goal == CorpusGoal({"city": "seattle", "name": "x"}, ("date",), True, {"numberofpeople": "2"})
    assert dialogue.turns == ()
    table = tcbot_table(write(tmp_path / "kb.json", {"0": {"city": "Seattle", "moviename": "X"}}))
    assert table == [{"city": "seattle", "name": "x"}]
    with pytest.raises(CorpusError, match="movie_kb"):
        tcbot_table(write(tmp_path / "bad.json", []))


def heard(text: str, *said: tuple[str, float]) -> UserUttered:
    scored = tuple(ScoredAct(DialogueAct.parse(act), p) for act, p in said)
    return UserUttered(1.0, text, text, "rest", NLUResult(text, scored))


def decided(kind: str, **details: Any) -> Decided:
    return Decided(2.0, Decision(kind, "rule"), SystemAct(kind, **details))


def test_our_own_log(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    events: list[Event] = [
        heard("thai", ("inform(food=thai)", 0.9), ("inform(food=turkish)", 0.1)),
        decided("offer", entity="Bo", answered=("phone",)),
        heard("book it", ("book()", 0.8)),
        decided("request_open", slot="people"),
        heard("two", ("inform(people=2)", 0.9)),
        decided("booked", entity="Bo"),
        Booked(3.0, "R", "Bo", {}),
    ]

    async def keep() -> None:
        store = SqliteStore(path)
        await store.append("a", 0, events)
        await store.append("b", 0, [heard("help", ("help()", 0.9)), HandedOff(4.0, "asked")])
        store.close()

    asyncio.run(keep())
    first, second = sorted(load_corpus("log", path), key=lambda dialogue: dialogue.id)
    assert first.goal == CorpusGoal({"food": "thai"}, (), True, {"people": "2"})
    assert first.completed
    assert not second.completed
    assert acts(first.turns[0].user) == ["inform(food=thai)"]
    assert acts(first.turns[1].system) == ["offer(name=Bo)", "inform(phone)"]
    assert acts(first.turns[2].system) == ["request(people)"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("woz2", "[", r":1: not JSON"),
        ("woz2", [{"dialogue": [{}]}], "dialogue 0, turn 0"),
        ("camrest", json.dumps(camrest()) + "\nnonsense", r"bad\.json:2: not JSON"),
        ("camrest", json.dumps({"dial": []}), r"bad\.json:1: no field 'goal'"),
        ("multiwoz", json.dumps(multiwoz()) + "\n[]", r"bad\.json:2: expected one JSON object"),
        ("multiwoz", json.dumps(multiwoz(log=3)), r"bad\.json:1"),
        ("sgd", json.dumps(sgd("Other_1")), "'Other_1' is not in the schema"),
        ("sgd", json.dumps({"services": ["R_1"]}), r"bad\.json:1: no field 'turns'"),
        ("tcbot", [{"inform_slots": {}}], "goal 0: no field 'request_slots'"),
        ("tcbot", {}, "user_goals_"),
        ("woz2", [], "holds no woz2 dialogue"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, name: str, content: Any, what: str) -> None:
    write(tmp_path / "schema.json", SCHEMA)
    with pytest.raises(CorpusError, match=what) as caught:
        load_corpus(name, write(tmp_path / "bad.json", content))
    assert "bad.json" in str(caught.value)


def test_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=", ".join(CORPORA)):
        load_corpus("dstc9", tmp_path)
    for name in ("woz2", "camrest", "multiwoz", "tcbot", "log"):
        with pytest.raises(CorpusError, match="none"):
            load_corpus(name, tmp_path / "none.json")
    with pytest.raises(CorpusError, match=r"schema\.json"):
        load_corpus("sgd", write(tmp_path / "d.jsonl", sgd()))
    (tmp_path / "latin.json").write_bytes(b"\xff")
    with pytest.raises(CorpusError, match="UTF-8"):
        load_corpus("woz2", tmp_path / "latin.json")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi there", ["hello()"]),
        ("No thanks, goodbye!", ["bye()", "negate()", "thankyou()"]),
        ("no preference", ["inform(=dontcare)"]),
        ("Yes please, okay", ["affirm()"]),
        ("is there anything else?", ["reqalts()"]),
        ("it doesn't matter", ["inform(=dontcare)"]),
        ("I know a nice place", []),
    ],
)
def test_flow_acts_are_read_off_the_words(text: str, found: list[str]) -> None:
    assert sorted(str(act) for act in user_flow(text, answered=False)) == found


@pytest.mark.parametrize(
    ("text", "asked", "wanted", "found"),
    [
        ("", ["food"], (), []),
        ("What food would you like?", ["food"], (), ["request(food)"]),
        ("There are many restaurants like that.", [], (), ["reqmore()"]),
        ("I'm sorry, I can't find any.", ["food"], (), ["offer_none()", "request(food)"]),
        ("It is in the north.", [], ("area",), ["inform(area)"]),
        ("Which area?", ["area"], ("phone",), ["request(area)"]),
        ("You're welcome, goodbye", [], (), ["bye()"]),
    ],
)
def test_system_acts_are_read_off_the_words(
    text: str, asked: list[str], wanted: tuple[str, ...], found: list[str]
) -> None:
    assert acts(system_acts(text, asked, (), wanted, ("food", "area"))) == found


def talk(number: int) -> CorpusDialogue:
    turn = CorpusTurn((), (DialogueAct("inform", "food", str(number)),), "", f"text {number}")
    return CorpusDialogue(f"id {number}", CorpusGoal({"food": str(number)}), (turn,))


def test_a_split_depends_on_the_words_alone() -> None:
    dialogues = [talk(number) for number in range(400)]
    training, judging = split(dialogues, 0.25, "one")
    assert len(training) + len(judging) == 400
    assert 70 <= len(judging) <= 130
    again = split(dialogues[::-1], 0.25, "one")[1]
    assert sorted(d.id for d in again) == sorted(d.id for d in judging)
    nested = split(judging, 0.25, "other")[1]
    assert 10 <= len(nested) <= 45


def test_a_fingerprint_changes_with_any_act() -> None:
    assert fingerprint([talk(1)]) == fingerprint([talk(1)])
    assert fingerprint([talk(1)]) != fingerprint([talk(2)])


CORPUS_FILES = {
    "woz2": ("woz2/woz_validate_en.json.xz", 200),
    "camrest": ("camrest676/CamRest676_minus_woz_test.jsonl.xz", 302),
    "multiwoz": ("multiwoz21/restaurant_val.jsonl.xz", 50),
    "sgd": ("sgd_single_domain/train/Restaurants_1.jsonl.xz", 367),
    "tcbot": ("tcbot_movie/user_goals_first_turn_template.part.movie.v1.json.xz", 128),
}


@pytest.mark.parametrize("name", CORPUS_FILES)
def test_real_corpora_are_read_whole(name: str) -> None:
    data = os.environ.get("REJOINDER_DATA")
    if not data:
        pytest.skip("set REJOINDER_DATA to the folder that holds the corpora, e.g. woz2/woz_validate_en.json.xz")
    file, count = CORPUS_FILES[name]
    dialogues = load_corpus(name, Path(data) / file)
    assert len(dialogues) == count
    later = [turn for dialogue in dialogues for turn in dialogue.turns[1:]]
    assert sum(bool(turn.system) for turn in later) >= 0.95 * len(later)
    said = [turn for dialogue in dialogues for turn in dialogue.turns]
    assert sum(bool(turn.user) for turn in said) >= 0.9 * len(said)


def test_packed_files_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "woz.json.xz"
    packed.write_bytes(lzma.compress(json.dumps(WOZ).encode()))
    assert load_corpus("woz2", packed) == load_corpus("woz2", write(tmp_path / "woz.json", WOZ))
