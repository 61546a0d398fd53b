"""Test stories that a client sends: read, told to the policies, and reported in the keys of Rasa's API."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError, YamlMap, read_map
from bot.rasa.project import RasaProject, Story
from bot.rasa.reading.files import Notes
from bot.rasa.reading.steps import StepReader
from bot.rasa.reading.stories import StoryReader
from bot.rasa.story_tests import summary, try_story
from memory.dialogue import NLUResult
from policies.stories.ensemble import StoryEnsemble

MAX_STORIES = 500
"""In one request."""
_NAME = "stories.yml"


class SentStories:
    """Runs test stories with the policies and the NLU that are being served."""

    def __init__(
        self, project: RasaProject, policies: StoryEnsemble, parse: Callable[[str], Awaitable[NLUResult]]
    ) -> None:
        self._project, self._policies, self._parse = project, policies, parse

    async def __call__(self, text: str, end_to_end: bool) -> Mapping[str, Any]:
        """The report on the stories in ``text`` (YAML); ``end_to_end``: their texts are read by the NLU.

        ``accuracy``, ``precision`` and ``f1`` are micro averages over the predicted actions, and so the same number.

        Raises:
            AssistantError: the stories can't be read, or there are too many.
        """
        loop = asyncio.get_running_loop()

        def parse(said: str) -> NLUResult:
            return asyncio.run_coroutine_threadsafe(_awaited(self._parse(said)), loop).result()

        return await asyncio.to_thread(self._run, text, parse if end_to_end else None)

    def _run(self, text: str, parse: Callable[[str], NLUResult] | None) -> Mapping[str, Any]:
        stories = self._read(text)
        report = summary([try_story(self._project, story, self._policies, parse) for story in stories])
        accuracy = report["action_accuracy"]
        wrong = [
            {"story": failed.get("story"), **{key: failed.get(key) for key in ("step", "expected", "predicted")}}
            for failed in report["failed"]
        ]
        return {
            "report": report,
            "accuracy": accuracy,
            "precision": accuracy,
            "f1": accuracy,
            "actions": wrong,
            "in_training_data_fraction": report["in_training_data_fraction"],
            "is_end_to_end_evaluation": parse is not None,
        }

    def _read(self, text: str) -> tuple[Story, ...]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / _NAME).write_text(text, encoding="utf-8", errors="surrogatepass")
            try:
                part = read_map(root / _NAME, needed_for="test stories")
                part.only(("version", "stories"))
                _check_version(part)
                notes, domain = Notes(root), self._project.domain
                initial = {slot.name: slot.initial_value for slot in domain.slots.values()}
                stories = StoryReader(
                    root, StepReader.of(domain, self._project.nlu, notes, lenient=True), initial, notes
                ).stories((part,), "test")
            except AssistantError as error:
                raise AssistantError(Path("the request"), 0, str(error).replace(f"{root}/", ""), "Correct it") from None
        if not stories:
            raise AssistantError(Path("the request"), 0, "it holds no stories", "Send `stories: [...]`")
        if len(stories) > MAX_STORIES:
            raise AssistantError(Path("the request"), 0, f"{len(stories)} stories", f"Send at most {MAX_STORIES}")
        return stories


def _check_version(part: YamlMap) -> None:
    if part.get("version", "3.1") not in ("3.0", "3.1"):
        raise part.error("version", "the version of the format is not 3.0 or 3.1", 'Write `version: "3.1"`')


async def _awaited(result: Awaitable[NLUResult]) -> NLUResult:
    return await result
