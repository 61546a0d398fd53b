"""Simulated users from recordings, through the command line: fitted, judged, practised with, and compared."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.assistant import Assistant
from bot.commands.evaluate_users import Experiment, evaluate_users
from bot.commands.train_user import train_user
from bot.config import Config, TrainingConfig, load_config
from bot.corpus_errors import corpus_error_model
from bot.errors import CommandError, explain
from bot.nlu.pipeline import NLU
from bot.users import practice_users, user_models
from memory.dialogue import DialogueAct
from simulator.corpora.dialogues import CorpusDialogue, CorpusError, CorpusGoal, CorpusTurn
from simulator.noise import ErrorModel
from simulator.users.fitted import FittedUser, FittedUserError

SAID = [
    ("", "", [["food", "{food}"], ["area", "{area}"]], "{food} food in the {area} for the {number}th time", []),
    ("What price would you like?", "price range", [["price range", "cheap"]], "cheap", ["price range"]),
    ("Bo is a {food} place at 4 Mill Road.", "", [["request", "phone"]], "what is the phone number?", []),
    ("It is 01223 799526.", "", [], "thank you, goodbye", []),
]


def woz(number: int) -> dict[str, Any]:
    names = {
        "number": str(number),
        "food": ("thai", "italian", "chinese")[number % 3],
        "area": ("north", "south")[number % 2],
    }
    turns = [
        {
            "system_transcript": system.format(**names), "transcript": text.format(**names), "system_acts": asked,
            "turn_label": [[slot, value.format(**names)] for slot, value in labels], "belief_state": [],
        }
        for system, _, labels, text, asked in SAID[: 3 + number % 2]
    ]  # fmt: skip
    return {"dialogue_idx": number, "dialogue": turns}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "woz.json"
    path.write_text(json.dumps([woz(number) for number in range(60)]))
    return path


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users fitted and learned from the corpus."""
    out = tmp_path_factory.mktemp("users") / "woz"
    train_user(Config(), "woz2", [corpus], held_out=corpus, model="neural", out=out, as_json=True)
    return out


def test_training_a_user_writes_everything_and_reports(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report["agenda"]["dialogues"] == 60
    assert set(report["report"]["turns"]) == {"unigram", "hand-set agenda", "fitted agenda", "learned"}
    assert {"user.json", "turns.png", "acts.png"} <= {file.name for file in folder.iterdir()}
    assert FittedUser.load(folder).corpus["files"] == ["woz.json"]


def test_training_a_user_in_words(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_user(Config(), "woz2", [corpus], held_out=None, model="agenda", out=tmp_path, as_json=False)
    out = capsys.readouterr().out
    for words in ("inform combination", "log-likelihood", "recorded", "fitted agenda", "KS of"):
        assert words in out
    assert not (tmp_path / "neural").exists()


@pytest.mark.parametrize(
    ("corpus_name", "files", "model", "what"),
    [("woz2", [], "all", "give the corpus's files"), ("woz2", ["x"], "magic", "agenda, neural, errors")],
)
def test_wrong_use_of_train_user(corpus_name: str, files: list[str], model: str, what: str, tmp_path: Path) -> None:
    paths = [Path(file) for file in files]
    with pytest.raises(CommandError, match=what):
        train_user(Config(), corpus_name, paths, held_out=None, model=model, out=tmp_path / "u", as_json=True)
    assert not (tmp_path / "u").exists()


def test_a_broken_corpus_writes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("[3]")
    with pytest.raises(CorpusError, match="dialogue 0") as caught:
        train_user(Config(), "woz2", [bad], held_out=None, model="all", out=tmp_path / "u", as_json=True)
    assert explain(caught.value) == str(caught.value)
    assert not (tmp_path / "u").exists()


def test_goals_alone_are_fitted_and_not_judged(tmp_path: Path) -> None:
    goals = tmp_path / "goals.json"
    goals.write_text(json.dumps([{"inform_slots": {"city": "x"}, "request_slots": {"date": "UNK"}}] * 10))
    train_user(Config(), "tcbot", [goals], held_out=None, model="all", out=tmp_path / "u", as_json=True)
    report = json.loads((tmp_path / "u" / "report.json").read_text())
    assert "report" not in report
    assert report["agenda"]["dialogues"] == 10


def test_practice_follows_the_configuration(folder: Path, assistant: Assistant, tmp_path: Path) -> None:
    hand = practice_users(Config(), assistant)
    assert (hand.name, hand.parameters, hand.user) == ("hand-set", None, "agenda")
    fitted = practice_users(Config(training=TrainingConfig(users=folder)), assistant)
    assert fitted.parameters == FittedUser.load(folder).parameters
    assert fitted.task.constraint_priors["food"] > 0.9
    learned = practice_users(Config(training=TrainingConfig(users=folder, user_model="learned")), assistant)
    assert learned.user == str(folder / "neural")
    with pytest.raises(FittedUserError):
        practice_users(Config(training=TrainingConfig(users=tmp_path)), assistant)
    FittedUser.load(folder).save(tmp_path)
    with pytest.raises(CommandError, match="has no learned user"):
        practice_users(Config(training=TrainingConfig(users=tmp_path, user_model="learned")), assistant)
    (tmp_path / "config.yml").write_text("training: {users: somewhere}")
    assert load_config(tmp_path / "config.yml").training.users == tmp_path / "somewhere"


def test_folders_of_one_name_are_refused(folder: Path, assistant: Assistant) -> None:
    assert [m.name for m in user_models(assistant, [folder])] == ["hand-set", "woz agenda", "woz learned"]
    with pytest.raises(CommandError, match="same name"):
        user_models(assistant, [folder, folder])


def test_the_matrix(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies of all users against all users; what is trained is not trained again."""
    root = Path(__file__).parents[2]
    config = Config(assistant=root / "assistants" / "restaurants", training=TrainingConfig(num_envs=8))
    out, experiment = tmp_path / "matrix", Experiment(steps=100, training_seeds=1, dialogues=30, error_rate=0.1)
    evaluate_users(config, [], experiment, out, as_json=True)
    alone = json.loads((out / "matrix.json").read_text())
    assert alone["trained_with"] == ["rule", "hand-set"]
    trained: list[str] = []

    def reuse(_: object, __: object, directory: Path, *___: object, **____: object) -> dict[str, bool]:
        """A trained policy in place of another training."""
        trained.append(directory.name)
        shutil.copytree(out / "hand-set-0", directory)
        return {"interrupted": False}

    monkeypatch.setattr("simulator.training.train_policy", reuse)
    evaluate_users(config, [folder], experiment, out, as_json=True)
    report = json.loads((out / "matrix.json").read_text())
    assert trained == ["woz-agenda-0", "woz-learned-0"]
    assert report["trained_with"] == ["rule", "hand-set", "woz agenda", "woz learned"]
    assert report["tested_with"] == ["hand-set", "woz agenda", "woz learned"]
    assert report["cells"]["hand-set"]["hand-set"] == alone["cells"]["hand-set"]["hand-set"]
    for row in report["cells"].values():
        for cell in row.values():
            assert cell["success"]["low"] <= cell["success"]["mean"] <= cell["success"]["high"]
    assert (out / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    evaluate_users(config, [folder], experiment, out, as_json=True)
    assert len(trained) == 2
    shutil.rmtree(out / "hand-set-0")
    with pytest.raises(FileNotFoundError):  # other settings, hence trained again
        evaluate_users(config, [], Experiment(101, 1, 30, 0.1), out, as_json=True)


def turn(text: str, *acts: str, after: tuple[str, ...] = ()) -> CorpusTurn:
    said = tuple(DialogueAct.parse(act) for act in acts)
    return CorpusTurn(tuple(DialogueAct.parse(act) for act in after), said, "", text)


def dialogues(*turns: CorpusTurn) -> list[CorpusDialogue]:
    return [CorpusDialogue("d", CorpusGoal({}), turns)]


def test_errors_of_the_nlu_on_recordings(model_dir: Path, assistant: Assistant, tmp_path: Path) -> None:
    nlu = NLU.load(model_dir, assistant)
    right = dialogues(
        turn("I want thai food in the north", "inform(food=thai)", "inform(area=north)"),
        turn("I don't mind", "inform(pricerange=dontcare)", after=("request(pricerange)",)),
        turn("what is the phone number?", "request(phone)"),
        turn("a vegan klingon place", "inform(food=klingon)"),
    )
    model = corpus_error_model(nlu, assistant.ontology, right)
    assert model["semantic_error_rate"] == 0.0
    assert model["turns"] == 4
    wrong = dialogues(turn("I want thai food", "inform(food=chinese)"), turn("cheap", "inform(pricerange=cheap)"))
    model = corpus_error_model(nlu, assistant.ontology, wrong)
    assert model["rates"]["substitution"] == 0.5
    assert ["food", "chinese", "thai", 1] in model["confusions"]
    path = tmp_path / "error_model.json"
    path.write_text(json.dumps(model))
    assert ErrorModel.from_json(path).per_slot["food"] == 1.0
    with pytest.raises(CorpusError, match="nothing can be measured"):
        corpus_error_model(nlu, assistant.ontology, dialogues(turn("hello", "hello()")))


def test_errors_through_the_command(config: Config, corpus: Path, tmp_path: Path) -> None:
    train_user(config, "woz2", [corpus], held_out=None, model="errors", out=tmp_path, as_json=True)
    assert 0.0 <= ErrorModel.from_json(tmp_path / "error_model.json").substitution <= 1.0
    assert not (tmp_path / "user.json").exists()


def test_fitted_users_are_likelier_on_real_recordings(tmp_path: Path) -> None:
    data = os.environ.get("REJOINDER_DATA")
    if not data:
        pytest.skip("set REJOINDER_DATA to the folder that holds woz2/woz_train_en.json.xz and woz_validate_en.json.xz")
    train, validate = (Path(data) / "woz2" / f"woz_{part}_en.json.xz" for part in ("train", "validate"))
    train_user(Config(), "woz2", [train], held_out=validate, model="agenda", out=tmp_path, as_json=True)
    report = json.loads((tmp_path / "report.json").read_text())["report"]
    score = {name: entry["log_likelihood"]["mean"] for name, entry in report["turns"].items()}
    assert score["fitted agenda"] > score["hand-set agenda"] + 0.3
    distance = {name: entry["ks_distance"] for name, entry in report["dialogues"].items()}
    assert distance["fitted agenda"] < 0.25 < distance["hand-set agenda"]
