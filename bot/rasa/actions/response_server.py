"""What the bot says, made by a server of the project's own (endpoints.yml's `nlg`), in Rasa's callback protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.rasa.actions.answers import check_response, parse_json
from bot.rasa.actions.circuit import CircuitBreaker
from bot.rasa.actions.endpoint import EndpointClient, EndpointError, EndpointSettings


class ResponseServerError(Exception):
    """The server gave no response; the domain's own one may be used instead. The message has no secrets."""


class ResponseServer:
    """Asks for one response at a time: `POST url {response, id, arguments, tracker, channel: {name}}`.

    Args:
        settings: where the server is.
        circuit: when it is left alone.
    """

    def __init__(self, settings: EndpointSettings, circuit: CircuitBreaker | None = None) -> None:
        self.circuit = CircuitBreaker() if circuit is None else circuit
        self._settings, self._client = settings, EndpointClient(settings)

    async def generate(
        self,
        response: str,
        tracker: Mapping[str, Any],
        channel: str,
        arguments: Mapping[str, Any] | None = None,
        response_id: str | None = None,
    ) -> dict[str, Any]:
        """One response: {text, buttons, image, elements, attachment, custom}, each of them optional.

        Args:
            response: its name in the domain.
            tracker: the conversation, as `current_state` gives it.
            channel: the name of the output channel.
            arguments: values for its variables that are not slots.
            response_id: the `id` of the variant that the domain's conditions choose, if it has one.

        Raises:
            ResponseServerError: no answer, or one that can't be said.
        """
        if not self.circuit.allow():
            raise ResponseServerError(f"{self._settings.shown} failed again and again, it is left alone for a while")
        call = {
            "response": response,
            "id": response_id,
            "arguments": dict(arguments or {}),
            "tracker": tracker,
            "channel": {"name": channel},
        }
        try:
            status, body = await self._client.post(json.dumps(call, separators=(",", ":")).encode(), {})
        except EndpointError as error:
            self.circuit.failed()
            raise ResponseServerError(f"{response}: {error}") from None
        except BaseException:
            self.circuit.failed()
            raise
        if status >= 500:
            self.circuit.failed()
        else:
            self.circuit.succeeded()
        return _read(response, self._settings.shown, status, body)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _read(response: str, where: str, status: int, body: bytes) -> dict[str, Any]:
    if status != 200:
        raise ResponseServerError(f"{response}: {where} answered {status}")
    try:
        answer = parse_json(body)
    except ValueError as error:
        raise ResponseServerError(f"{response}: the answer of {where} is not JSON ({str(error)[:80]})") from None
    problem = check_response(answer)
    if problem is not None:
        raise ResponseServerError(f"{response}: the answer of {where} {problem}")
    found: dict[str, Any] = answer
    return found
