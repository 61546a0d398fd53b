"""``rejoinder test``: a Rasa project's test stories, told to its trained model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.rasa.nlu.parsing import RasaNLU
from bot.rasa.project import RasaProject, Story
from bot.rasa.reading.loading import is_rasa_project, load_project
from bot.rasa.story_policies import story_ensemble
from bot.rasa.story_tests import StoryResult, failed_stories_yaml, summary, try_story
from bot.report import console, print_json, print_table
from policies.files import write_atomically
from policies.stories.served import ServedStoryPolicy

FAILED_FILE = "failed_test_stories.yml"
SHOWN = 30
"""Wrong predictions in the table."""


def test(assistant: Path, model: Path, out: Path, *, strict: bool, as_json: bool) -> None:
    """Test the project ``assistant`` with ``model`` (a folder of `rejoinder train`) and write what failed to ``out``.

    ``strict``: CommandError, after the report, when a story failed.
    """
    if not is_rasa_project(assistant):
        raise CommandError(
            f"{assistant}: this is no Rasa project (domain.yml without task.yml), and only those have test stories; "
            "for other assistants there is `rejoinder evaluate policy`"
        )
    started = time.monotonic()
    project = load_project(assistant)
    stories, source = _stories(project)
    learned = ServedStoryPolicy.load(model / "policy")
    if learned.manifest.project != project.fingerprint:
        _warn(f"{model} was trained on other files than {assistant} has now: train again for today's figures", as_json)
    nlu = RasaNLU.load(model / "nlu", project)
    ensemble = story_ensemble(project, learned)
    tested: list[StoryResult] = []
    with counted("test stories", len(stories), hidden=as_json) as advance:
        for story in stories:
            tested.append(try_story(project, story, ensemble, nlu.parse))
            advance()
    failed_file = out / FAILED_FILE
    write_atomically(failed_file, failed_stories_yaml(tested).encode())
    report = {**summary(tested), "source": source, "seconds": round(time.monotonic() - started, 2)}
    if as_json:
        print_json(report)
    else:
        _show(report, failed_file)
    if strict and report["failed"]:
        raise CommandError(f"{len(report['failed'])} of {report['stories']} stories failed: see {failed_file}")


def _stories(project: RasaProject) -> tuple[Sequence[Story], str]:
    """The project's test stories, else its stories; and which of them."""
    if project.tests:
        return project.tests, "tests"
    if project.stories:
        return project.stories, "stories"
    raise CommandError(f"{project.path}: there are neither test stories nor stories: write tests/test_stories.yml")


def _warn(message: str, as_json: bool) -> None:
    if not as_json:
        console.print(f"[yellow]{message}[/yellow]")


def _show(report: Mapping[str, Any], failed_file: Path) -> None:
    if report["source"] == "stories":
        console.print("there are no test stories (tests/test_*.yml): these are the stories it was trained on")
    rows = [
        ["stories", report["stories_correct"], report["stories"], _percent(report["conversation_accuracy"])],
        ["actions", report["actions_correct"], report["actions"], _percent(report["action_accuracy"])],
    ]
    if report["messages"]:
        heard = round((report["intent_accuracy"] or 0.0) * report["messages"])
        rows.append(["intents of messages", heard, report["messages"], _percent(report["intent_accuracy"])])
    print_table("test stories", ["what", "correct", "of", "accuracy"], rows)
    if report["entity_f1"] is not None:
        shown = (_percent(report[f"entity_{name}"]) for name in ("precision", "recall", "f1"))
        console.print("entities: precision {}, recall {}, F1 {}".format(*shown))
    console.print(f"actions that rules or memory knew: {_percent(report['in_training_data_fraction'])}")
    wrong = [
        [f"{story['story']} ({story['file']}:{story['line']})", w["step"], w["kind"], w["expected"], w["predicted"]]
        for story in report["failed"]
        for w in story["wrong"]
    ]
    if wrong:
        print_table("what failed", ["story", "step", "kind", "expected", "predicted"], wrong[:SHOWN])
        console.print(f"{len(wrong)} wrong predictions, all of them in {failed_file}")


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"
