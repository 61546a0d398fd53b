"""Training a Rasa project: its NLU, and a policy that imitates its stories and learns beyond them."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import CommandError
from bot.rasa.features import initial_slots, slot_feature
from bot.rasa.project import ActionStep, RasaProject, SlotStep, Story
from bot.rasa.story_policies import story_ensemble
from bot.rasa.story_states import contradictions, story_examples
from policies.files import write_atomically
from policies.stories.featurizer import MAX_HISTORY
from policies.stories.scripts import Script

if TYPE_CHECKING:
    from simulator.story_training import StoryRun

PROJECT_FILE = "project.json"
PARTS = ("nlu", "policy")
LONGEST_HISTORY = 20
"""States that a policy sees at most, where config.yml asks for more or for all."""
TrainingProgress = Callable[[str, float], None]
"""Told the stage and the share of the whole training that is done, 0 to 1."""


def train_project(
    project: RasaProject,
    folder: Path | str,
    *,
    seed: int = 0,
    progress: TrainingProgress | None = None,
    encoder_name: str | None = None,
) -> dict[str, Any]:
    """Train NLU and policy, write ``folder``/nlu, /policy and /project.json, and return the report.

    The report: ``nlu`` and ``policy`` (see ``train_rasa_nlu`` and ``train_story_policy``), ``unsupported`` and
    ``contradictions`` as lists, ``seconds``, ``interrupted``. An earlier model stays until the new one is whole.
    Ctrl-C during the policy's training keeps what it reached, before that nothing. ``encoder_name`` None takes the
    default sentence encoder.

    Raises:
        AssistantError: the project's NLU data or stories can't be used.
        CommandError: torch is not installed.
    """
    _require_torch()
    from bot.nlu.encoder_export import DEFAULT_MODEL
    from bot.rasa.nlu.training import train_rasa_nlu

    shown = progress or (lambda stage, share: None)
    started, target = time.monotonic(), Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".training-") as work:
        place = Path(work)
        nlu = train_rasa_nlu(
            project, place / "nlu", lambda stage, share: shown(stage, 0.6 * share),
            encoder_name=encoder_name or DEFAULT_MODEL, seed=seed,
        )  # fmt: skip
        policy = _train_policy(project, place / "policy", seed, lambda stage, share: shown(stage, 0.6 + 0.4 * share))
        report: dict[str, Any] = {
            "assistant": project.assistant_id,
            "nlu": nlu,
            "policy": policy,
            "unsupported": [asdict(note) for note in project.unsupported],
            "contradictions": [str(found) for found in contradictions(project)],
            "seconds": round(time.monotonic() - started, 1),
            "interrupted": bool(policy["interrupted"]),
        }
        _install(place, target, {"project": project.fingerprint, "report": report})
    return report


def story_scripts(project: RasaProject) -> tuple[Script, ...]:
    """The project's stories and rules for imitation and for the user who is fitted on them."""
    domain = project.domain
    told = ((name, slot_feature(domain.slots.get(name), value)) for name, value in initial_slots(domain).items())
    initial = [(name, feature) for name, feature in told if feature is not None]
    scripts = []
    for story in (*project.stories, *project.rules):
        examples = story_examples(project, (story,))
        if examples:
            condition = [fact.name for fact in story.condition if isinstance(fact, SlotStep)]
            scripts.append(
                Script.of(
                    examples, rule=story.kind == "rule", condition=condition, initial=initial, anywhere=_anywhere(story)
                )
            )
    return tuple(scripts)


def story_run(project: RasaProject, seed: int) -> StoryRun:
    """What config.yml says of the policy's training: `max_history` of TEDPolicy or MemoizationPolicy, the threshold."""
    from simulator.story_training import StoryRun

    max_history, threshold = MAX_HISTORY, StoryRun().threshold
    entries = {str(entry.get("name", "")).rsplit(".", maxsplit=1)[-1]: entry for entry in project.policies}
    for name in ("AugmentedMemoizationPolicy", "MemoizationPolicy", "TEDPolicy"):
        if "max_history" in entries.get(name, {}):
            max_history = _whole(entries[name]["max_history"], name)
    found = entries.get("RulePolicy", {}).get("core_fallback_threshold", threshold)
    threshold = float(found) if isinstance(found, int | float) and 0 <= found <= 1 else threshold
    return StoryRun(max_history=max_history, seed=seed, threshold=threshold)


def _whole(value: object, policy: str) -> int:
    """``max_history``; all states (null) and more than LONGEST_HISTORY are LONGEST_HISTORY."""
    if value is None:
        return LONGEST_HISTORY
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CommandError(f"config.yml: {policy}: max_history is {value!r}: write a whole number from 1, or null")
    return min(value, LONGEST_HISTORY)


def _anywhere(story: Story) -> bool:
    """Whether the user may begin this story at any time."""
    begins_with_action = bool(story.steps) and isinstance(story.steps[0], ActionStep)
    return not (story.conversation_start or story.starts_anywhere or begins_with_action)


def _train_policy(
    project: RasaProject, folder: Path, seed: int, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    from simulator.story_training import train_story_policy

    scripts = story_scripts(project)
    if not scripts:
        raise CommandError(
            f"{project.path}: there are neither stories nor rules, so nothing says what the bot should do: "
            "write data/stories.yml or data/rules.yml"
        )

    def shown(stage: str, share: float) -> None:
        progress(stage, 0.4 * share if stage == "imitation" else 0.4 + 0.6 * share)

    return train_story_policy(
        scripts, folder, story_run(project, seed), rules=story_ensemble(project).rules, project=project.fingerprint,
        progress=shown,
    )  # fmt: skip


def _install(new: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Put the new parts in place of the old ones; while that lasts there is no project.json."""
    (target / PROJECT_FILE).unlink(missing_ok=True)
    for part in PARTS:
        old = target / part
        if old.exists():
            old.replace(new / f"old-{part}")
        (new / part).replace(old)
        shutil.rmtree(new / f"old-{part}", ignore_errors=True)
    write_atomically(target / PROJECT_FILE, json.dumps(manifest, indent=1, default=str).encode())


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise CommandError("training needs torch: run `make setup`, or install rejoinder[train]") from None
