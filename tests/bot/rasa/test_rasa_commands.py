"""The command line with a Rasa project: init, train, serve with its channels, chat."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import socketio
from typer.testing import CliRunner

from bot.__main__ import app
from bot.channels.slack_settings import SlackSettingsError
from bot.config import Config, load_config
from bot.errors import CommandError
from bot.limits import SettingsError
from bot.rasa import training
from bot.rasa.credentials import slack_of_credentials, socketio_of_credentials
from bot.rasa.training import story_run
from tests.bot.rasa.projects import write_project

ROOT = Path(__file__).parents[3]
FILES = {
    "domain.yml": """
        version: "3.1"
        intents: [greet, bye]
        responses:
          utter_greet:
            - text: Hello
              buttons: [{title: Leave, payload: /bye}]
          utter_bye:
            - text: |
                Bye

                Come again
              image: https://example.org/wave.png
        """,
    "config.yml": "recipe: default.v1\npipeline: [{name: my.Component}]\npolicies: [{name: RulePolicy}]\n",
    "credentials.yml": "rest:\nsocketio:\n  session_persistence: true\nslack:\n  slack_token: xoxb-xxx\ntwilio:\n",
    "data/rules.yml": """
        version: "3.1"
        rules:
          - rule: greet
            steps: [{intent: greet}, {action: utter_greet}]
          - rule: bye
            steps: [{intent: bye}, {action: utter_bye}]
        """,
    "data/stories.yml": """
        version: "3.1"
        stories:
          - story: talk
            steps: [{intent: greet}, {action: utter_greet}, {intent: bye}, {action: utter_bye}]
        """,
}  # a project without NLU data needs no encoder; messages are shortcuts
SLACK = {"slack_token": "xoxb-1234-5678-abcd", "slack_signing_secret": "0123456789abcdef0123456789abcdef"}


def rejoinder(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("rasa") / "mood", FILES)


@pytest.fixture(scope="module")
def model(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "trained"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "story_run", lambda *given: replace(story_run(*given), updates=2, dialogues=10))
        report = json.loads(rejoinder("train", "--assistant", str(project), "--out", str(folder), "--json"))
        assert report["assistant"] == "mood"
        assert {(note["file"], note["what"]) for note in report["unsupported"]} >= {
            ("credentials.yml", "channel 'twilio'"),
            ("config.yml", "the pipeline component 'my.Component'"),
        }
        before = (folder / "project.json").stat().st_mtime_ns
        rejoinder("train", "--assistant", str(project), "--out", str(folder), "--if-missing")
        assert (folder / "project.json").stat().st_mtime_ns == before, "there is a usable model"
    return folder


@contextmanager
def serving(project: Path, model: Path, folder: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`rejoinder serve` as people start it; its address and its process."""
    command = [sys.executable, "-m", "bot", "serve", "--assistant", str(project), "--model", str(model), "--port", "0"]
    pipe = subprocess.PIPE
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, *more], stdout=pipe, stderr=pipe, text=True, cwd=folder, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + process.stderr.read()
        yield found[0], process
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def test_a_project_is_served_with_rest_and_socketio_and_remembers_over_a_restart(
    project: Path, model: Path, tmp_path: Path
) -> None:
    async def over_socketio(address: str) -> list[object]:
        client = socketio.AsyncSimpleClient()
        await client.connect(address, transports=["websocket"])
        await client.emit("session_request", {"session_id": "ann"})
        heard = [await client.receive(timeout=10)]
        await client.emit("user_uttered", {"message": "/bye", "session_id": "ann"})
        heard += [await client.receive(timeout=10) for _ in range(3)]
        await client.disconnect()
        return heard

    with serving(project, model, tmp_path) as (address, process):
        answer = httpx.post(f"{address}/webhooks/rest/webhook", json={"sender": "ann", "message": "/greet"})
        buttons = [{"title": "Leave", "payload": "/bye"}]
        assert answer.json() == [{"recipient_id": "ann", "text": "Hello", "buttons": buttons}]
        picture = {"attachment": {"type": "image", "payload": {"src": "https://example.org/wave.png"}}}
        assert asyncio.run(over_socketio(address)) == [
            ["session_confirm", "ann"],
            ["bot_uttered", {"text": "Bye"}],
            ["bot_uttered", {"text": "Come again"}],
            ["bot_uttered", picture],
        ]
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "Slack is off: credentials.yml: slack: slack_token is no Slack secret" in process.stderr.read()
    with serving(project, model, tmp_path, "--auth-token", "a-token") as (address, _):
        tracker = f"{address}/conversations/ann/tracker"
        assert httpx.get(tracker).status_code == 401
        events = httpx.get(tracker, params={"token": "a-token"}).json()["events"]
        said = [event["text"] for event in events if event["event"] == "user"]
        assert said == ["/greet", "/bye"]


def test_serving_a_project_imports_no_torch(project: Path, model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.modules['pandas'] = None\n"
        "from bot.config import Config; from bot.rasa.app import build_rasa\n"
        f"bot = build_rasa(Config(assistant=Path({str(project)!r}), model=Path({str(model)!r}), data=Path('data')))\n"
        "bot.close(); print([m for m in ('torch', 'sklearn', 'rasa_sdk', 'scipy', 'onnx') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_project_is_copied_unchanged_and_its_differences_are_told(project: Path, tmp_path: Path) -> None:
    (project / "models").mkdir(exist_ok=True)
    told = rejoinder("init", "--from-rasa", str(project), str(tmp_path / "bot"))
    copied = tmp_path / "bot/assistants/mood"
    for name in FILES:
        assert (copied / name).read_bytes() == (project / name).read_bytes()
    assert not (copied / "models").exists()
    assert load_config(tmp_path / "bot/config.yml").assistant == copied
    assert "config.yml:2: the pipeline component 'my.Component'; instead: " in told
    assert "credentials.yml:6: channel 'twilio'; instead: " in told
    with pytest.raises(CommandError, match="exists already"):
        rejoinder("init", "--from-rasa", str(project), str(tmp_path / "bot"))
    with pytest.raises(CommandError, match="no Rasa project: give the folder"):
        rejoinder("init", "--from-rasa", str(ROOT / "assistants/restaurants"), str(tmp_path / "other"))
    with pytest.raises(CommandError, match="lies inside"):
        rejoinder("init", "--from-rasa", str(project), str(project / "inner"))


def test_only_the_whole_of_a_project_is_trained(project: Path) -> None:
    with pytest.raises(CommandError, match="trained whole"):
        rejoinder("train", "nlu", "--assistant", str(project))


def test_the_terminal_talks_to_a_project(
    project: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "bot", "chat", "--assistant", str(project), "--model", str(model)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    said = "/greet\n[1]\n/why\n/quit\n"
    done = subprocess.run(command, input=said, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Hello" in done.stdout
    assert "Come again" in done.stdout
    assert "intent  bye 1.00" in done.stdout


def test_slack_takes_its_secrets_from_the_credentials_and_never_shows_them() -> None:
    config = Config(assistant=Path("mood"))
    settings = slack_of_credentials({"slack": SLACK}, config)
    assert settings is not None
    assert (settings.mode, settings.bot_token) == ("events", SLACK["slack_token"])
    assert slack_of_credentials({"rest": None}, config) is None
    for key, wrong in (
        ("slack_token", "xoxp-1234-5678-abcd"),
        ("slack_signing_secret", "short"),
        ("slack_token", None),
    ):
        with pytest.raises(SlackSettingsError, match=f"slack: {key}") as error:
            slack_of_credentials({"slack": {**SLACK, key: wrong}}, config)
        assert not any(secret in str(error.value) for secret in (*SLACK.values(), str(wrong)) if secret != "None")
    assert not any(secret in repr(settings) for secret in SLACK.values())


def test_socketio_is_on_when_the_credentials_name_it() -> None:
    assert socketio_of_credentials({"rest": None}) is None
    on = socketio_of_credentials({"socketio": None})
    assert on is not None
    assert (on.user_message_evt, on.session_persistence) == ("user_uttered", False)
    with pytest.raises(SettingsError, match="socketio must hold"):
        socketio_of_credentials({"socketio": "yes"})
