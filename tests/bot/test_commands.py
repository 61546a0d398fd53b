"""The command line on a trained model: every report in words and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    path = folder / "config.yml"
    path.write_text(f"assistant: {ROOT / 'assistants/restaurants'}\nmodels: {models}\n")
    return path


def rejoinder(*arguments: str, said: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments], input=said, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_training_reaches_the_rules(models: Path) -> None:
    """A third of the default steps already is on a par with the teacher; the full training is ahead of it."""
    report = json.loads((models / "report.json").read_text())
    learned, rule = report["policy"]["learned"], report["policy"]["rule"]
    assert learned["reward"] > rule["reward"] - 0.75
    assert learned["success"] > 0.9
    assert (models / "restaurants/policy/learning_curve.png").stat().st_size > 5000


def test_simulate(settings: Path) -> None:
    out = rejoinder("simulate", "-n", "200", "--show", "2", "--error-rate", "0", "--config", str(settings))
    assert "user" in out
    assert "offer(" in out
    report = json.loads(rejoinder("simulate", "-n", "200", "--policy", "rule", "--json", "--config", str(settings)))
    assert report["success"]["low"] <= report["success"]["mean"] <= report["success"]["high"]
    random = json.loads(rejoinder("simulate", "-n", "200", "--policy", "random", "--json", "--config", str(settings)))
    assert random["reward"]["mean"] < report["reward"]["mean"] - 5


def test_simulate_is_reproducible(settings: Path) -> None:
    arguments = ("simulate", "-n", "100", "--json", "--seed", "5", "--config", str(settings))
    assert rejoinder(*arguments) == rejoinder(*arguments)


def test_evaluate_policy(settings: Path) -> None:
    arguments = ("--dialogues", "100", "--seeds", "2", "--text-dialogues", "10", "--config", str(settings))
    rows = json.loads(rejoinder("evaluate", "policy", *arguments, "--json"))["rows"]
    assert {(r["policy"], r["errors"], r["through"]) for r in rows} == {
        (p, e, t)
        for p in ("learned", "rule")
        for e, t in (("measured", "acts"), ("0%", "acts"), ("15%", "acts"), ("30%", "acts"), ("real NLU", "text"))
    }
    text = {r["policy"]: r["success"]["mean"] for r in rows if r["through"] == "text"}
    assert text["rule"] > 0.5, "dialogues through text reach their goals"
    by_errors = {r["errors"]: r["success"]["mean"] for r in rows if r["policy"] == "rule"}
    assert by_errors["0%"] >= by_errors["30%"]


def test_evaluate_nlu(settings: Path) -> None:
    report = json.loads(rejoinder("evaluate", "nlu", "--json", "--config", str(settings)))
    assert report["sentences"] >= 250
    assert report["act_f1"] > 0.85
    assert "F1 of inform" in rejoinder("evaluate", "nlu", "--config", str(settings))


def test_chat(settings: Path) -> None:
    said = "cheap chinese in the north\nwhat is the phone number?\n/why\n/quit\n"
    out = rejoinder("chat", "--config", str(settings), said=said)
    assert "01632" in out
    assert "request(phone)" in out
    assert "food=chinese" in out
    found = json.loads(rejoinder("log", "search", "chinese north", "--json", "--config", str(settings)))
    assert found["hits"]


def test_chat_debug_and_end_of_input(settings: Path) -> None:
    assert "belief" in rejoinder("chat", "--debug", "--config", str(settings), said="hello\n")


def test_what_people_say_is_never_markup(settings: Path) -> None:
    rejoinder("chat", "--config", str(settings), said="a zinnia [/x] [bold] there\n/faq\n/quit\n")
    assert "[/x]" in rejoinder("log", "search", "zinnia", "--config", str(settings))


def test_a_usable_model_is_not_trained_again(settings: Path) -> None:
    assert "training" not in rejoinder("train", "--if-missing", "--config", str(settings))


def test_log_search_never_fails_on_odd_queries(settings: Path) -> None:
    for query in ('"', "AND", "a*b(", "NEAR(", "'; DROP TABLE events; --"):
        json.loads(rejoinder("log", "search", query, "--json", "--config", str(settings)))


def test_doctor(settings: Path, tmp_path: Path) -> None:
    report = json.loads(rejoinder("doctor", "--json", "--config", str(settings)))
    failed = [check["check"] for check in report["checks"] if not check["ok"]]
    assert failed in ([], ["port"])
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(settings.read_text() + 'server: {allowed_origins: ["https://a.example/"]}\n')
    assert "without a path" in rejoinder("doctor", "--config", str(wrong), code=1)
    assert "without a path" in rejoinder("serve", "--config", str(wrong), code=1)
    empty = tmp_path / "config.yml"
    empty.write_text(f"assistant: {ROOT / 'assistants/restaurants'}\n")
    out = rejoinder("doctor", "--config", str(empty), code=1)
    assert "FAILED" in out
    assert "train" in out


def test_init_never_overwrites(tmp_path: Path) -> None:
    rejoinder("init", str(tmp_path / "mine"))
    assert (tmp_path / "mine/assistants/restaurants/domain.yml").exists()
    (tmp_path / "mine/config.yml").write_text("seed: 3\n")
    assert "exists already" in rejoinder("init", str(tmp_path / "mine"), code=1)
    assert (tmp_path / "mine/config.yml").read_text() == "seed: 3\n"
    assert "there is no template" in rejoinder("init", str(tmp_path / "other"), "--template", "moon", code=1)


def test_benchmark_server(settings: Path) -> None:
    arguments = ("--clients", "4", "--seconds", "1", "--json", "--config", str(settings))
    report = json.loads(rejoinder("benchmark", "server", *arguments))
    (run,) = report["runs"]
    assert run["failures"] == 0
    assert run["messages_per_s"] > 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluate", "tracker", "nowhere.json"), "nowhere.json"),
        (("evaluate", "tracker", "README.md"), "README.md"),
        (("evaluate", "tracker", "README.md", "--corpus", "kant"), "woz2"),
        (("train", "everything"), "all, nlu, policy"),
        (("simulate", "--policy", "magic"), "learned, rule, stack or random"),
        (("train", "--assistant", "nowhere"), "nowhere"),
        (("serve", "--port", "99999"), "server.port"),
        (("simulate", "--seed", "-1"), "seed"),
        (("benchmark", "server", "--url", "https://x.example"), "http://"),
    ],
)
def test_wrong_arguments_are_explained(settings: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in rejoinder(*arguments, "--config", str(settings), code=1)
