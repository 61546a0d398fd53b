"""Which policy is to be served, while the server runs."""

from __future__ import annotations

from collections.abc import Callable

from bot.learning.versions import PolicyVersions
from bot.version_watch import VersionWatcher
from policies.policy import Policy


class PolicyWatcher(VersionWatcher):
    """Hands each newly promoted policy to ``install``; ``version`` is the policy's that is served at the beginning."""

    def __init__(
        self,
        versions: PolicyVersions,
        load: Callable[[], Policy],
        install: Callable[[Policy], None],
        version: str,
        seconds: float = 1.0,
    ) -> None:
        super().__init__("policy", (), seconds)  # something may have been promoted since the start
        self._versions, self._load, self._install, self._version = versions, load, install, version

    def _signature(self) -> tuple[object, ...]:
        return self._versions.signature()

    def _swap(self) -> str | None:
        policy = self._load()
        if policy.version == self._version:
            return None
        self._install(policy)
        self._version = policy.version
        return f"{policy.name} {policy.version}"
