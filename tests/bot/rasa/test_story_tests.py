"""`rejoinder test`: predictions, failures and their places as Rasa's own test tells them; training end to end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands import benchmark_stories
from bot.errors import CommandError
from bot.rasa import training
from bot.rasa.project import ActionStep, RasaProject, UserStep
from bot.rasa.reading.loading import load_project
from bot.rasa.story_policies import story_ensemble
from bot.rasa.story_states import as_told
from bot.rasa.story_tests import failed_stories_yaml, summary, try_story
from bot.rasa.training import story_run, story_scripts, train_project
from memory.dialogue import Entity, NLUResult
from policies.stories.ensemble import StoryEnsemble
from policies.stories.featurizer import MAX_HISTORY
from policies.stories.state import LISTEN
from simulator.story_dialogue import StoryDialogue, StorySettings
from simulator.story_user import StoryUsers

PIZZA = Path(__file__).parents[2] / "assistants" / "rasa_pizza"
TRAVEL = PIZZA.parent / "rasa_travel"
DOMAIN = """version: "3.1"
intents: [greet, order, bye]
responses:
  utter_greet: [{text: Hello}]
  utter_order: [{text: It comes}]
  utter_bye: [{text: Bye}]
"""
CONFIG = """recipe: default.v1
policies: [{name: TEDPolicy, max_history: 4}, {name: RulePolicy}]
"""
STORIES = """stories:
- story: order
  steps: [{intent: greet}, {action: utter_greet}, {intent: order}, {action: utter_order}]
"""
RULES = """rules:
- rule: bye
  steps: [{intent: bye}, {action: utter_bye}]
"""
TESTS = """version: "3.1"
stories:
- story: as it should be
  steps:
  - user: /greet
    intent: greet
  - action: utter_greet
  - user: /bye
    intent: bye
  - action: utter_bye
  - user: /order
    intent: order
  - action: utter_order
- story: wrong twice
  steps:
  - user: /greet
    intent: order
  - action: utter_order
  - intent: bye
  - action: utter_greet
  - action: utter_bye
"""


@pytest.fixture(scope="module")
def project() -> RasaProject:
    return load_project(PIZZA)


@pytest.fixture(scope="module")
def memory(project: RasaProject) -> StoryEnsemble:
    """Rules and memory alone."""
    return story_ensemble(project)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project without NLU data, so that training needs no encoder."""
    folder = tmp_path_factory.mktemp("project") / "small"
    for name, text in (
        ("domain.yml", DOMAIN), ("data/stories.yml", STORIES), ("data/rules.yml", RULES), ("tests/test_it.yml", TESTS),
        ("config.yml", CONFIG),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def model(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    shares: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training,
            "story_run",
            lambda *given: replace(story_run(*given), imitation_updates=300, updates=4, dialogues=20),
        )
        report = train_project(load_project(small), folder, progress=lambda stage, share: shares.append(share))
    assert report["policy"]["accuracy"] == 1.0
    assert report["policy"]["max_history"] == 4
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] <= shares[-1] <= 1.0
    return folder


def test_what_was_learnt_by_heart_is_all_correct(project: RasaProject, memory: StoryEnsemble) -> None:
    report = summary([try_story(project, story, memory, None) for story in project.stories])
    assert report["stories"] == report["stories_correct"] == len(project.stories) > 5
    assert report["action_accuracy"] == report["in_training_data_fraction"] == 1.0
    assert report["failed"] == []
    assert report["intent_accuracy"] is None


def test_forms_that_give_way_to_each_other_go_as_told() -> None:
    project = load_project(TRAVEL)
    ensemble = story_ensemble(project)
    for story in (*project.stories, *project.tests):
        assert try_story(project, story, ensemble, None).wrong == ()


@pytest.mark.parametrize("at", [1, 3])
def test_a_wrong_action_is_named_with_its_place_and_the_story_goes_on(
    project: RasaProject, memory: StoryEnsemble, at: int
) -> None:
    story = next(story for story in project.stories if story.name == "greeting, no pizza")
    assert isinstance(story.steps[at], ActionStep)
    expected = story.steps[at].name  # type: ignore[union-attr]
    steps = [*story.steps]
    steps[at] = ActionStep("utter_thank")
    found = try_story(project, replace(story, steps=tuple(steps)), memory, None)
    first = summary([found])["failed"][0]
    assert (first["story"], first["file"], first["line"]) == (story.name, story.file, story.line)
    assert (first["step"], first["kind"]) == (at + 1, "action")
    assert (first["expected"], first["predicted"]) == ("utter_thank", expected)
    assert found.actions == 4  # two turns: what is said, and listening


def test_listening_counts_as_an_action(project: RasaProject, memory: StoryEnsemble) -> None:
    story = next(story for story in project.stories if story.name == "greeting, no pizza")
    found = try_story(project, replace(story, steps=(*story.steps, ActionStep("utter_thank"))), memory, None)
    assert ("utter_thank", LISTEN) in [(wrong.expected, wrong.predicted) for wrong in found.wrong]
    assert found.wrong[0].step == 5


def test_misunderstood_messages_fail_a_story_but_not_its_actions(project: RasaProject, memory: StoryEnsemble) -> None:
    story = next(story for story in project.tests if story.name == "a ride with annotations")

    def deaf(text: str) -> NLUResult:
        return NLUResult(text, intents=(("ride", 0.9),), entities=(Entity("city", "Rome", 0, 4, role="from"),))

    found = try_story(project, story, memory, deaf)
    assert [(wrong.kind, wrong.expected, wrong.predicted) for wrong in found.wrong if wrong.kind != "action"] == [
        ("entities", "city#to=Naples, city#from=Rome", "city#from=Rome"),
        ("intent", "affirm", "ride"),
        ("entities", "none", "city#from=Rome"),
    ]
    report = summary([found])
    assert (report["messages"], report["intent_accuracy"]) == (2, 0.5)
    assert (report["entity_precision"], report["entity_recall"]) == (0.5, 0.5)
    texts = {step.text: step for step in story.steps if isinstance(step, UserStep)}
    heard = try_story(project, story, memory, lambda text: as_told(texts[text]))
    assert [wrong for wrong in heard.wrong if wrong.kind != "action"] == []
    assert [w for w in heard.wrong if w.kind == "action"] == [w for w in found.wrong if w.kind == "action"]


def test_a_question_inside_a_form_is_a_rejection_not_a_failure(project: RasaProject, memory: StoryEnsemble) -> None:
    story = next(story for story in project.tests if story.name == "a question in the middle")
    assert try_story(project, story, memory, None).correct


def test_what_failed_can_be_told_again(project: RasaProject, memory: StoryEnsemble, tmp_path: Path) -> None:
    broken = [
        replace(s, steps=tuple(ActionStep("utter_cheer") if isinstance(x, ActionStep) else x for x in s.steps))
        for s in (*project.stories, *project.tests)
    ]
    results = [try_story(project, story, memory, None) for story in broken]
    written = failed_stories_yaml(results)
    assert written.count("# predicted: ") >= sum(len(result.wrong) for result in results) * 0.9
    shutil.copytree(PIZZA, tmp_path / "again", ignore=shutil.ignore_patterns("tests"))
    (tmp_path / "again" / "tests").mkdir()
    (tmp_path / "again" / "tests" / "test_failed.yml").write_text(written)
    again = load_project(tmp_path / "again")
    spoken = [[step for step in story.steps if isinstance(step, UserStep)] for story in again.tests]
    assert spoken == [[step for step in result.story.steps if isinstance(step, UserStep)] for result in results]
    assert "all good" in failed_stories_yaml([])


def test_the_command_reports_as_its_reference_says(small: Path, model: Path, tmp_path: Path) -> None:
    common = ["test", "--assistant", str(small), "--model", str(model), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*common, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["stories"], report["stories_correct"]) == (2, 1)
    assert report["actions"] == report["actions_correct"] + 2 == 11
    assert report["source"] == "tests"
    (failed,) = report["failed"]
    assert (failed["story"], failed["line"], failed["step"], failed["kind"]) == ("wrong twice", 14, 1, "intent")
    assert failed["file"].endswith("test_it.yml")
    assert [(w["step"], w["expected"], w["predicted"]) for w in failed["wrong"][1:3]] == [
        (4, "utter_greet", "utter_bye"),
        (5, "utter_bye", LISTEN),
    ]
    assert "wrong twice" in (tmp_path / "failed_test_stories.yml").read_text()
    shown = CliRunner().invoke(app, [*common, "--fail-on-prediction-errors"])
    assert shown.exit_code == 1
    assert "utter_greet" in shown.stdout
    assert "1 of 2 stories failed" in str(shown.exception)


@pytest.mark.parametrize("held_out", [False, True])
def test_the_benchmark_compares_on_the_same_users(small: Path, held_out: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        benchmark_stories, "story_run", lambda *given: replace(story_run(*given), imitation_updates=60, updates=1)
    )
    options = ["--seeds", "1", "--dialogues", "20", "--json", *(["--held-out"] if held_out else [])]
    done = CliRunner().invoke(app, ["benchmark", "stories", str(small), *options])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    rows = {row["policy"]: row for row in report["projects"]}
    assert tuple(rows) == benchmark_stories.POLICIES
    assert report["held_out"] == held_out
    # the only story: by heart it is all right, never heard it is all wrong
    assert rows["memory"]["success"] == (0.0 if held_out else 1.0)
    assert rows["memory"]["success_ci"] == [rows["memory"]["success"]] * 2


def test_an_unfinished_training_leaves_the_old_model(
    small: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(model, kept)
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_train_policy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_project(load_project(small), kept)
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("policies", "states"),
    [
        ((), MAX_HISTORY),
        (({"name": "MemoizationPolicy", "max_history": 3},), 3),
        (({"name": "TEDPolicy", "max_history": None},), 20),
    ],
)
def test_config_says_how_much_of_the_history_counts(
    project: RasaProject, policies: tuple[dict[str, object], ...], states: int
) -> None:
    assert story_run(replace(project, policies=policies), 0).max_history == states


ODD = {
    "begins with an action": "- {story: a, steps: [{action: utter_greet}, {intent: order}, {action: utter_order}]}",
    "no action after a message": "- {story: a, steps: [{intent: greet}, {intent: order}, {action: utter_order}]}",
    "in words": "- {story: a, steps: [{user: hello}, {bot: hi there}, {intent: order}, {action: utter_order}]}",
    "one thing twice": "- {story: a, steps: [{intent: greet}, {action: utter_greet}, {action: utter_greet}]}",
    "a rule says otherwise": "- {story: a, steps: [{intent: bye}, {action: utter_greet}, {intent: order}]}",
}


@pytest.mark.parametrize("story", ODD.values(), ids=ODD.keys())
def test_odd_stories_can_be_told_and_practised(small: Path, story: str, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(small, folder, ignore=shutil.ignore_patterns("tests"))
    (folder / "data" / "stories.yml").write_text(f"stories:\n{story}\n")
    odd = load_project(folder)
    ensemble = story_ensemble(odd)
    contradicted = bool(try_story(odd, odd.stories[0], ensemble, None).wrong)
    assert contradicted == ("bye" in story)
    users = StoryUsers(story_scripts(odd))
    for seed in range(20):
        dialogue = StoryDialogue(users, StorySettings(), np.random.default_rng(seed), ensemble.rules)
        for _ in range(100):
            if dialogue.over:
                break
            dialogue.act(dialogue.expected)
        assert dialogue.over
        assert dialogue.success or contradicted


def test_bad_input_is_named(project: RasaProject, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="max_history is 'many'"):
        story_run(replace(project, policies=({"name": "TEDPolicy", "max_history": "many"},)), 0)
    refused = CliRunner().invoke(app, ["test", "--assistant", str(tmp_path), "--model", str(tmp_path)])
    assert "no Rasa project" in str(refused.exception)
    untrained = CliRunner().invoke(app, ["test", "--assistant", str(PIZZA), "--model", str(tmp_path)])
    assert str(tmp_path / "policy") in str(untrained.exception)


def test_only_what_may_come_at_any_time_is_an_opening(project: RasaProject) -> None:
    opens = {script.name for script in story_scripts(project) if script.opens}
    assert {"Say goodbye", "Answer questions", "greeting, no pizza"} <= opens
    assert "The order is complete" not in opens
