"""The API does what its own description says: schemathesis makes requests of all kinds from /openapi.json."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode

from bot.limits import ServerSettings
from tests.bot.rasa.projects import PIZZA
from tests.bot.rasa.served import project_app, project_bot

TOKEN = "a-long-token-for-the-inspector"
EXAMPLES = 5
"""Requests for each operation and kind of data; thousands were tried by hand."""
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
Operation = schemathesis.schemas.APIOperation


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Operation]]:
    folder = tmp_path_factory.mktemp("schema")
    project = Path(shutil.copytree(PIZZA, folder / "pizza", ignore=shutil.ignore_patterns("credentials.yml")))
    bot = project_bot(project, folder)
    app = project_app(bot, ServerSettings(inspect_token=TOKEN))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    yield {found.ok().label: found.ok() for found in schema.get_all_operations()}
    bot.close()


def test_every_operation_keeps_what_the_description_says(operations: dict[str, Operation]) -> None:
    assert len(operations) > 25
    for operation in operations.values():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                continue

            @seed(7)
            @QUICK
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case) -> None:
                case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

            check()
