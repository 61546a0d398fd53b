"""Custom actions on an action server: Rasa's protocol (`POST url`), spoken so that a broken server harms no turn.

The request holds next_action, sender_id, tracker, domain, domain_digest and version. The answers:

    200  {events, responses}
    400  {action_name, error}: the action rejects to be executed
    404  the server does not know the action
    449  the server wants the domain; it is asked again with it
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import zlib
from collections.abc import Mapping
from typing import Any, Final

from bot.rasa.actions.answers import parse_json, read_result
from bot.rasa.actions.circuit import CircuitBreaker
from bot.rasa.actions.endpoint import EndpointClient, EndpointError, EndpointSettings
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, ActionResult

log = logging.getLogger("rejoinder.actions")

PROTOCOL_VERSION: Final = "3.6.21"
"""The version of Rasa whose protocol this is; action servers compare it with their own."""
_NOT_THERE: Final = (502, 503, 504)
"""What a proxy answers for a server that is down."""


class RemoteActions:
    """Runs actions on the server of endpoints.yml's `action_endpoint`.

    With `enable_selective_domain: true` the domain is left out, except for actions with `send_domain: true`, and sent
    when the server asks for it (449). Env `COMPRESS_ACTION_SERVER_REQUEST=true` deflates requests. Both as in Rasa.

    Args:
        settings: where the server is.
        circuit: when it is left alone; only silence counts, not an answer that says no.
    """

    def __init__(self, settings: EndpointSettings, circuit: CircuitBreaker | None = None) -> None:
        self.circuit = CircuitBreaker() if circuit is None else circuit
        self._settings, self._client = settings, EndpointClient(settings)
        self._domain: Mapping[str, Any] | None = None
        self._domain_json, self._digest = b"{}", ""
        self._needs_domain: frozenset[str] = frozenset()

    async def run(
        self,
        name: str,
        tracker: Mapping[str, Any],
        domain: Mapping[str, Any],
        sender_id: str,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        """Ask the server to run one action; see `Actions.run`."""
        if domain is not self._domain:
            self._take(domain)
        call = {
            "next_action": name,
            "sender_id": sender_id,
            "version": PROTOCOL_VERSION,
            "domain_digest": self._digest,
            "tracker": tracker,
        }
        request = json.dumps(call, separators=(",", ":")).encode()
        with_domain = not self._settings.selective_domain or name in self._needs_domain
        status, body = await self._guarded(name, request, idempotency_key, with_domain=with_domain)
        if status == 449 and not with_domain:
            status, body = await self._guarded(name, request, idempotency_key, with_domain=True)
        return self._read(name, status, body)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _take(self, domain: Mapping[str, Any]) -> None:
        self._domain_json = json.dumps(domain, separators=(",", ":")).encode()
        self._digest = hashlib.sha256(self._domain_json).hexdigest()
        self._needs_domain = frozenset(
            name
            for action in domain.get("actions") or ()
            if isinstance(action, Mapping)
            for name, options in action.items()
            if isinstance(options, Mapping) and options.get("send_domain") is True
        )
        self._domain = domain

    async def _guarded(self, name: str, request: bytes, key: str | None, *, with_domain: bool) -> tuple[int, bytes]:
        """One request, unless the circuit is open; tells the circuit what came of it."""
        if not self.circuit.allow():
            wait = self.circuit.seconds_left()
            reason = f"{self._settings.shown} failed again and again; it is asked again in {wait:.0f} s"
            raise ActionFailed(name, "circuit_open", reason)
        try:
            status, body = await self._post(request, key, with_domain=with_domain)
        except EndpointError as error:
            if error.kind in ("timeout", "unreachable", "broken_off"):
                self.circuit.failed()
            else:
                self.circuit.succeeded()
            raise ActionFailed(name, error.kind, str(error)) from None
        except asyncio.CancelledError:
            self.circuit.failed()  # the turn's own deadline: the server was silent as well
            raise
        except BaseException:
            self.circuit.failed()
            raise
        if status in _NOT_THERE:
            self.circuit.failed()
        else:
            self.circuit.succeeded()
        return status, body

    async def _post(self, request: bytes, key: str | None, *, with_domain: bool) -> tuple[int, bytes]:
        body = request[:-1] + b',"domain":' + self._domain_json + b"}" if with_domain else request
        headers: dict[str, str] = {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if os.environ.get("COMPRESS_ACTION_SERVER_REQUEST", "").lower() == "true":
            body = zlib.compress(body)
            headers["Content-Encoding"] = "deflate"
        return await self._client.post(body, headers)

    def _read(self, name: str, status: int, body: bytes) -> ActionResult:
        where = self._settings.shown
        if status == 200:
            try:
                answer = parse_json(body)
            except ValueError as error:
                reason = f"the answer of {where} is not JSON ({str(error)[:80]})"
                raise ActionFailed(name, "garbage", reason) from None
            return read_result(name, answer)
        if status == 400 and _complaint(body, "action_name"):  # rasa_sdk also answers 400 to what it can't read
            raise ActionRejected(name, _complaint(body) or "rejected by the action server")
        if status == 404:
            reason = f"{where} does not know this action. Is it in the server's package, and is the path /webhook?"
            raise ActionFailed(name, "unknown_action", reason)
        if status == 449:
            raise ActionFailed(name, "missing_domain", f"{where} got the domain and asks for it again")
        complaint = _complaint(body)
        raise ActionFailed(name, "status", f"{where} answered {status}" + (f": {complaint}" if complaint else ""))


def _complaint(body: bytes, key: str = "error") -> str:
    """The text that an answer has under ``key``, in one line; empty where there is none."""
    try:
        answer = parse_json(body)
    except ValueError:
        return ""
    error = answer.get(key) if isinstance(answer, dict) else None
    return " ".join(error.split())[:200] if isinstance(error, str) else ""
