"""The package that runs our policy inside Rasa: the same probabilities as here, alone and in a real Rasa."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bot.rasa.http.events import read_events
from bot.rasa.project import RasaProject
from bot.rasa.reading.loading import load_project
from bot.rasa.story_states import story_examples
from bot.rasa.tracker import apply_event, new_conversation, situation
from memory.events import TrackerEvent
from policies.stories.scripts import Script
from policies.stories.served import ServedStoryPolicy, save_story_policy
from policies.stories.state import StoryState
from policies.stories.training import StoryTraining, imitate

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "integrations" / "rasa_policy"
PROJECT = Path(__file__).parent / "mood_project"
RASA = os.environ.get("REJOINDER_RASA_PYTHON")
WITHOUT_RASA = "REJOINDER_RASA_PYTHON names no interpreter with rasa 3.6.21 (docs/rasa_policy.md)"


@pytest.fixture(scope="module")
def project() -> RasaProject:
    return load_project(PROJECT)


@pytest.fixture(scope="module")
def exported(project: RasaProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a policy that imitates the project's stories."""
    folder = tmp_path_factory.mktemp("exported")
    scripts = [Script.of(story_examples(project, [story])) for story in project.stories]
    learner, _ = imitate(scripts, StoryTraining(updates=150))
    save_story_policy(learner.network, learner.featurizer, learner.actions, folder, project=project.fingerprint)
    return folder


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    """The package's part that knows nothing of Rasa."""
    spec = importlib.util.spec_from_file_location("rejoinder_rasa_network", PACKAGE / "rejoinder_rasa" / "network.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_rasa(state: StoryState) -> dict[str, Any]:
    found: dict[str, Any] = {"slots": dict(state.slots)}
    if state.intent is not None:
        found["user"] = {"intent": state.intent, "entities": state.entities}
    if state.previous_action is not None:
        found["prev_action"] = {"action_name": state.previous_action}
    if state.active_loop is not None:
        found["active_loop"] = {"name": state.active_loop}
    return found


def test_probabilities_are_those_of_rejoinder(project: RasaProject, exported: Path, plugin: ModuleType) -> None:
    ours, theirs = ServedStoryPolicy.load(exported), plugin.StoryNetwork(exported)
    histories = [example.history for example in story_examples(project, project.stories)]
    odd = StoryState("unheard_of", ("city", "city#here"), None, "action_strange", {"mood": "bad", "x": "y"}, "no_form")
    histories += [(), (odd,), (*histories[-1], odd) * 3]
    for history in histories:
        expected = ours.predict(history).probabilities
        assert theirs.actions == tuple(expected)
        np.testing.assert_allclose(theirs([as_rasa(state) for state in history]), [*expected.values()], atol=1e-6)


def test_a_damaged_export_is_refused_with_the_remedy(exported: Path, plugin: ModuleType, tmp_path: Path) -> None:
    def refused(name: str, change: Any) -> str:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(exported, folder)
        change(folder / name)
        with pytest.raises(plugin.ExportError) as error:
            plugin.StoryNetwork(folder)
        assert str(folder / name) in str(error.value)
        return str(error.value)

    def manifest(**changes: Any) -> Any:
        return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    assert "give the folder `policy`" in refused("manifest.json", Path.unlink)
    assert "not a manifest" in refused("manifest.json", lambda path: path.write_text("[]"))
    assert "update rejoinder-rasa-policy" in refused("manifest.json", manifest(format=2))
    assert "does not fit its inputs" in refused("manifest.json", manifest(inputs=7))
    assert "entities, " in refused("manifest.json", manifest(vocabulary={}))
    assert "sha256 differs" in refused("stories.onnx", lambda path: path.write_bytes(path.read_bytes()[:-1]))
    assert "no such file" in refused("stories.onnx", Path.unlink)


def test_the_package_needs_neither_this_python_nor_a_rasa_of_any_version() -> None:
    text = (PACKAGE / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.8,<3.11"' in text
    assert '"rasa' not in text, "rasa belongs to the environment, pip must never choose it"
    for path in (PACKAGE / "rejoinder_rasa").glob("*.py"):
        assert "rejoinder" not in [name.split(".")[0] for name in _imports(path)]
        assert not {"torch", "bot", "policies", "memory"} & set(_imports(path))


def _imports(path: Path) -> list[str]:
    import ast

    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    return [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names] + [
        n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module
    ]


MESSAGES = [
    "hello there", '/feel{"mood": "bad"}', "please help me", "thanks a lot", "/greet", '/feel{"mood": "good"}',
    "goodbye then",
]  # fmt: skip


@pytest.mark.skipif(RASA is None, reason=WITHOUT_RASA)
@pytest.mark.timeout(590)
def test_a_real_rasa_trains_and_converses_with_it(project: RasaProject, exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder)
    shutil.copytree(exported, folder / "rejoinder")
    rasa(folder, "-m", "rasa", "train", "--fixed-model-name", "mood", "--out", str(folder / "models"))
    shutil.rmtree(folder / "rejoinder")  # the model holds it
    converse = str(Path(__file__).parent / "converse_with_rasa.py")
    found = json.loads(
        rasa(folder, converse, str(folder / "models" / "mood.tar.gz"), json.dumps(MESSAGES)).splitlines()[-1]
    )
    assert found["replies"] == [
        ["Hello! How are you?"],
        ["Look, a kitten!"],
        ["I can say hello and cheer you up."],
        ["You are welcome.", "See you."],
        ["Hello! How are you?"],
        ["I am glad to hear that."],
        ["See you."],
    ]
    compare(project, ServedStoryPolicy.load(exported), found["events"])


DOMAIN = """
version: "3.1"
intents: [tell, {hush: {use_entities: []}}]
entities: [number, {city: {roles: [to, from], groups: ["1"]}}]
slots:
  words: {type: text, mappings: [{type: custom}]}
  several: {type: list, mappings: [{type: custom}]}
  size: {type: categorical, values: [Small, large], mappings: [{type: custom}]}
  sure: {type: bool, mappings: [{type: custom}]}
  count: {type: float, min_value: 2, max_value: 12, mappings: [{type: custom}]}
  thing: {type: any, mappings: [{type: custom}]}
  quiet: {type: text, influence_conversation: false, mappings: [{type: custom}]}
  initial: {type: bool, initial_value: false, mappings: [{type: custom}]}
responses: {utter_a: [{text: a}], utter_b: [{text: b}]}
forms: {a_form: {required_slots: [words]}}
"""


def heard(intent: str, *entities: dict[str, Any]) -> dict[str, Any]:
    found = [{"start": 0, "end": 1, "value": "x", "confidence": 1.0, "extractor": "x", **e} for e in entities]
    data = {"intent": {"name": intent, "confidence": 1.0}, "entities": found, "text": "x", "intent_ranking": []}
    return {"event": "user", "text": "x", "parse_data": data}


def did(name: str) -> dict[str, Any]:
    return {"event": "action", "name": name}


def set_to(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


ROLES = ({"entity": "city", "role": "to"}, {"entity": "city", "group": "1"}, {"entity": "number"})
TOLD = [
    did("action_session_start"), {"event": "session_started"}, did("action_listen"), heard("tell", *ROLES),
    set_to("words", "some"), set_to("size", "SMALL"), set_to("count", 4), did("utter_a"), did("utter_b"),
    did("action_listen"), heard("hush", *ROLES), set_to("several", ["a"]), set_to("size", "huge"),
    set_to("sure", True), set_to("count", 99), set_to("thing", {"a": 1}), set_to("quiet", "x"), did("a_form"),
    {"event": "active_loop", "name": "a_form"}, set_to("requested_slot", "words"), did("action_listen"),
    heard("unheard_of"), set_to("several", []), set_to("sure", False), set_to("words", None),
]  # fmt: skip


@pytest.mark.skipif(RASA is None, reason=WITHOUT_RASA)
def test_the_policy_sees_in_rasa_what_it_sees_here(tmp_path: Path) -> None:
    (tmp_path / "domain.yml").write_text(DOMAIN)
    (tmp_path / "config.yml").write_text("recipe: default.v1\nlanguage: en\npolicies: []\npipeline: []\n")
    domain = load_project(tmp_path).domain
    told = [TOLD[:length] for length in (5, 9, 18, len(TOLD))]
    script = str(Path(__file__).parent / "features_in_rasa.py")
    there = json.loads(rasa(tmp_path, script, "domain.yml", json.dumps(told)).splitlines()[-1])
    for events, seen in zip(told, there, strict=True):
        state = new_conversation(domain, "ann")
        for event in read_events(events, 0.0):
            state = apply_event(domain, state, event)
        here = [as_rasa(state) for state in situation(state).visible]
        assert [plain(state) for state in seen] == [plain(state) for state in here]


def plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state without what is empty; entities in any order."""
    user = state.get("user") or {}
    return {
        "intent": user.get("intent"),
        "entities": sorted(user.get("entities") or ()),
        "action": (state.get("prev_action") or {}).get("action_name"),
        "slots": state.get("slots") or {},
        "loop": (state.get("active_loop") or {}).get("name"),
    }


def compare(project: RasaProject, policy: ServedStoryPolicy, events: list[Mapping[str, Any]]) -> None:
    """Each of the policy's decisions has the confidence that Rejoinder gives in the same place."""
    state = new_conversation(project.domain, "ann")
    compared = 0
    for event in read_events(events, 0.0):
        if isinstance(event, TrackerEvent) and "RejoinderPolicy" in str(event.fields.get("policy")):
            action, confidence = policy.predict(situation(state).visible).best
            assert (event.fields["name"], round(event.fields["confidence"], 3)) == (action, round(confidence, 3))
            compared += 1
        state = apply_event(project.domain, state, event)
    assert compared >= 12


def rasa(folder: Path, *arguments: str) -> str:
    """The standard output of Rasa's interpreter."""
    environment = {
        **os.environ, "PYTHONPATH": str(PACKAGE), "RASA_TELEMETRY_ENABLED": "false", "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3", "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    }  # fmt: skip
    command = [RASA or sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
