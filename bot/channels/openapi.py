"""The API's description for machines: OpenAPI 3.1, made of the routes, their handlers' docstrings and the schemas here.

Only what is described in ``bot.channels.openapi_schemas`` has parameters and bodies; a route without an entry there
takes nothing but its path.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from bot.channels.openapi_schemas import FAILURE, IDENTIFIER, Operation, operations

_PAGES = ("/", "/inspect", "/docs", "/openapi.json", "/slack/events")
"""Addresses for people and for Slack."""


_FOR_PEOPLE = (("DELETE", "/conversations/{conversation}"),)
"""Machines take a deletion for the end of what a POST created; a conversation can be begun anew, and may be empty."""


def describe(
    routes: Sequence[BaseRoute], title: str, version: str, max_message_chars: int = 1_000, *, for_people: bool = False
) -> dict[str, Any]:
    """OpenAPI 3.1 of the JSON operations; each handler's docstring is its description."""
    known = operations(max_message_chars)
    paths: dict[str, Any] = {}
    for route in routes:
        if not isinstance(route, Route) or not route.methods or "/widget" in route.path or route.path in _PAGES:
            continue
        path = re.sub(r":\w+}", "}", route.path)
        for method in sorted(route.methods - {"HEAD"}):
            if (method, path) in _FOR_PEOPLE and not for_people:
                continue
            paths.setdefault(path, {})[method.lower()] = _described(route, path, known.get((method, path), Operation()))
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": {"Failure": FAILURE}},
    }


def _described(route: Route, path: str, operation: Operation) -> dict[str, Any]:
    failure = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    told = (inspect.getdoc(route.endpoint) or "").replace("``", "`")
    described: dict[str, Any] = {
        "operationId": route.endpoint.__qualname__.replace(".", "_"),
        "description": told,
        "responses": {
            "200": {"description": "Done", "content": {kind: {"schema": {}} for kind in operation.answers}},
            "default": {"description": "Refused: {status, reason, message, code, ...}", "content": failure},
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": IDENTIFIER} for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in operation.query.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {operation.takes: {"schema": operation.body}}
        described["requestBody"] = {"required": True, "content": content}
    return described
