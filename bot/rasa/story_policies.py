"""The policies of a project, as its config.yml lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.assistant_yaml import AssistantError
from bot.rasa.project import RasaProject
from bot.rasa.story_states import rules_of, story_examples
from policies.stories.ensemble import FALLBACK, FallbackSettings, StoryEnsemble
from policies.stories.memorised import MemorisedPolicy
from policies.stories.rules import RulePolicy
from policies.stories.state import StoryPolicy

MAX_HISTORY = 5
"""States that must be equal for a story to be remembered, where config.yml says nothing."""

_MEMORY = ("AugmentedMemoizationPolicy", "MemoizationPolicy")
_Listed = Mapping[str, Mapping[str, Any]]
_FALLBACKS = ("RulePolicy", "FallbackPolicy", "TwoStageFallbackPolicy")


def story_ensemble(project: RasaProject, learned: StoryPolicy | None = None) -> StoryEnsemble:
    """Rules, memory and the learned policy of a project.

    Rules and memory are used whether config.yml lists them or not: forms need the one, and the other does what every
    policy is trained to do. Their settings are config.yml's, those of the formats before 3.0 included.
    """
    listed = {str(entry.get("name", "")).rpartition(".")[2]: entry for entry in project.policies}
    examples = story_examples(project, project.stories)
    rules = RulePolicy(rules_of(project.domain, project.rules), examples)
    history = _max_history(project, listed)
    memorised = MemorisedPolicy(examples, history, forgetful=_MEMORY[0] in listed)
    restarting = MemorisedPolicy(examples, history, forgetful=True)
    return StoryEnsemble(rules, memorised, learned, restarting, _fallback(project, listed), examples)


def _max_history(project: RasaProject, listed: _Listed) -> int:
    for name in (*_MEMORY, "TEDPolicy"):
        states = listed.get(name, {}).get("max_history")
        if states is None:
            continue
        if isinstance(states, bool) or not isinstance(states, int) or states < 1:
            raise _wrong(project, f"max_history of {name} is {states!r}", "Give a number of states, 1 or more")
        return states
    return MAX_HISTORY


def _fallback(project: RasaProject, listed: _Listed) -> FallbackSettings:
    """Without a policy that falls back the best guess counts, however unsure it is."""
    name = next((name for name in _FALLBACKS if name in listed), None)
    if name is None:
        return FallbackSettings(enabled=not listed)
    entry = listed[name]
    threshold = entry.get("core_fallback_threshold", entry.get("core_threshold"))
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | None):
        raise _wrong(project, f"the threshold of {name} is {threshold!r}", "Give a number from 0 to 1")
    action = entry.get("core_fallback_action_name", entry.get("fallback_action_name"))
    return FallbackSettings(
        threshold=0.3 if threshold is None else float(threshold),
        action=str(action or FALLBACK),
        enabled=entry.get("enable_fallback_prediction") is not False,
    )


def _wrong(project: RasaProject, problem: str, remedy: str) -> AssistantError:
    return AssistantError(project.path / "config.yml", 0, problem, remedy)
