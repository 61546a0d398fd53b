"""Runs the actions of a project in this process and prints what became of them; needs rasa_sdk, and little else."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError
from bot.rasa.actions.choice import choose_actions
from bot.rasa.actions.local import LocalActions
from bot.rasa.actions.protocol import ActionFailed
from tests.bot.rasa.sdk_outcomes import DOMAIN, described, outcomes, tracker


async def longest_pause() -> None:
    """Ends with the longest time that the event loop was held up, in ``PAUSE``."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        PAUSE.append(now - last)
        last = now


PAUSE: list[float] = []


async def slow(actions: LocalActions, name: str) -> dict[str, Any]:
    try:
        return described(await actions.run(name, tracker(), DOMAIN, "ann"))
    except ActionFailed as error:
        return described(error)


async def main(project: Path) -> None:
    begun = time.monotonic()
    found: dict[str, Any] = {}
    actions = LocalActions(project, timeout_seconds=20.0)
    found["outcomes"] = await outcomes(actions, "spoil")
    found["actions"] = sorted(actions.load())
    hasty = LocalActions(project, timeout_seconds=0.3)
    hasty.load()
    watch = asyncio.create_task(longest_pause())
    found["slow"] = await slow(hasty, "action_slow")
    found["async_slow"] = await slow(hasty, "action_async_slow")
    watch.cancel()
    found["pause"] = max(PAUSE)
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder).resolve() / "needs_a_package"
        broken.mkdir()
        (broken / "actions.py").write_text("from rasa_sdk import Action\n\nimport a_package_that_is_nowhere\n")
        for name in [name for name in sys.modules if name.split(".")[0] == "actions"]:
            del sys.modules[name]
        try:
            choose_actions(broken, {"action_endpoint": {"actions_module": "actions"}})
        except AssistantError as error:
            found["broken"] = str(error)
    await actions.close()
    await hasty.close()
    found["seconds"] = time.monotonic() - begun
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
