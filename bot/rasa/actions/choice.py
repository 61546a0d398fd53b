"""Who runs a project's custom actions, as its endpoints.yml says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.rasa.actions.endpoint import DEFAULT_SECONDS, endpoint_error, read_endpoint
from bot.rasa.actions.protocol import Actions, NoActions
from bot.rasa.actions.response_server import ResponseServer


def choose_actions(folder: Path, endpoints: Mapping[str, Any], timeout_seconds: float = DEFAULT_SECONDS) -> Actions:
    """Whoever runs the actions of the project in ``folder``.

        action_endpoint: {url: ...}                  RemoteActions
        action_endpoint: {actions_module: actions}   LocalActions, imported now
        none, but the project has `actions`          LocalActions, imported when the first action runs
        none                                         NoActions

    Args:
        folder: the project's.
        endpoints: endpoints.yml as a mapping, {} where there is none.
        timeout_seconds: for one action, unless the entry has `timeout`. Less than what a turn may take.

    Raises:
        AssistantError: the entry can't be used, or the package can't be imported.
    """
    entry = endpoints.get("action_endpoint")
    if entry is None:
        if (folder / "actions" / "__init__.py").is_file() or (folder / "actions.py").is_file():
            return _local(folder, "actions", timeout_seconds)
        return NoActions()
    if isinstance(entry, Mapping) and entry.get("actions_module"):
        if entry.get("url"):
            problem = "`action_endpoint` has both `url` and `actions_module`"
            raise endpoint_error(folder, "action_endpoint", "actions_module", problem, "Remove one of the two")
        return _local(folder, str(entry["actions_module"]), timeout_seconds, at_once=True)
    from bot.rasa.actions.remote import RemoteActions

    return RemoteActions(read_endpoint(entry, "action_endpoint", folder, timeout_seconds))


def choose_response_server(
    folder: Path, endpoints: Mapping[str, Any], timeout_seconds: float = DEFAULT_SECONDS
) -> ResponseServer | None:
    """The server of endpoints.yml's `nlg`, or None: the domain's own responses.

    Raises:
        AssistantError: the entry can't be used.
    """
    entry = endpoints.get("nlg")
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if entry is None or kind in ("response", "template"):
        return None
    if kind not in (None, "callback"):
        return None  # a class of Rasa's; the project's list of what is not supported has it
    return ResponseServer(read_endpoint(entry, "nlg", folder, timeout_seconds))


def _local(folder: Path, package: str, timeout_seconds: float, *, at_once: bool = False) -> Actions:
    from bot.rasa.actions.local import LocalActions

    actions = LocalActions(folder, package, timeout_seconds)
    if at_once:
        try:
            actions.load()
        except ModuleNotFoundError as error:
            problem = "`actions_module` can't be used"
            raise endpoint_error(folder, "action_endpoint", "actions_module", problem, str(error)) from None
    return actions
