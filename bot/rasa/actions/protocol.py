"""Custom actions: what whoever runs them promises, whether an action server or the project's own package.

    ActionError
    ├── ActionRejected   the action does not want to run here; another one is chosen
    └── ActionFailed     it could not be run, ``kind`` says why

`bot.rasa.actions.choice.choose_actions` picks the one that a project's endpoints.yml asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

FailureKind = Literal[
    "timeout", "unreachable", "broken_off", "garbage", "too_large", "unknown_action", "missing_domain", "status",
    "exception", "circuit_open", "not_configured", "not_installed",
]  # fmt: skip
"""Why an action failed: no answer in time; no connection; the answer ended in the middle; it is not the protocol's; it
is larger than any sane one; the server does not know the action; it asks for the domain again and again; another HTTP
status; the action's own code raised; the server failed so often that it is left alone for a while; the project does
not say who runs actions; rasa-sdk is not there."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action did, in Rasa's JSON.

    ``events`` are checked (`actions.answers.check_event`); ``responses`` hold text, image, custom, buttons ...,
    or ``response``: the name of a response of the domain, with the other keys as its variables.
    """

    events: tuple[dict[str, Any], ...] = ()
    responses: tuple[dict[str, Any], ...] = ()


class ActionError(Exception):
    """An action gave no result."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"{action}: {reason}")
        self.action, self.reason = action, reason


class ActionRejected(ActionError):
    """The action refuses to run now (Rasa's ActionExecutionRejection): its score becomes 0, the next best one runs."""


class ActionFailed(ActionError):
    """The action could not be run; ``reason`` is one sentence for the log, without secrets."""

    def __init__(self, action: str, kind: FailureKind, reason: str) -> None:
        super().__init__(action, reason)
        self.kind: FailureKind = kind


class Actions(Protocol):
    """Runs custom actions."""

    async def run(
        self,
        name: str,
        tracker: Mapping[str, Any],
        domain: Mapping[str, Any],
        sender_id: str,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        """Run one action.

        Args:
            name: the action's name in the domain.
            tracker: the conversation before it, as `current_state` gives it (all events).
            domain: the domain as plain JSON values (`RasaDomain.raw`); one object for all calls, so that what is
                derived from it is derived once.
            sender_id: the conversation's id.
            idempotency_key: the same for the same step of the same turn, whoever asks again (`idempotency_key`).

        Raises:
            ActionRejected: the action does not want to run here.
            ActionFailed: it could not be run.
        """

    async def close(self) -> None:
        """Give back connections and threads."""


class NoActions:
    """For projects that say nothing about who runs their actions."""

    async def run(
        self,
        name: str,
        tracker: Mapping[str, Any],
        domain: Mapping[str, Any],
        sender_id: str,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        """Always ActionFailed, with the remedy."""
        raise ActionFailed(
            name,
            "not_configured",
            "nobody runs custom actions. Give `action_endpoint: {url: ...}` in endpoints.yml, or add the package "
            "`actions` to the project",
        )

    async def close(self) -> None:
        """Nothing to give back."""


def idempotency_key(conversation_id: str, seq: int, step: int) -> str:
    """A key (32 hexadecimal digits) for the ``step``-th action of the turn whose user message has number ``seq``.

    A turn that is done again after a failure asks with the same keys, so that an action server can tell a repetition
    from a second order. Nothing about the conversation can be read from it.
    """
    return hashlib.sha256(f"{seq}:{step}:{conversation_id}".encode()).hexdigest()[:32]
