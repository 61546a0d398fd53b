"""A Rasa project read from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bot.assistant_yaml import AssistantError
from bot.rasa.project import ActionStep, NluData, RasaDomain, RasaProject, Story
from bot.rasa.reading.domain import read_domain
from bot.rasa.reading.files import Notes, collect, fingerprint, is_rasa_project
from bot.rasa.reading.names import DEFAULT_INTENTS, base_intent
from bot.rasa.reading.nlu import read_nlu
from bot.rasa.reading.settings import read_config, read_credentials, read_endpoints
from bot.rasa.reading.steps import StepReader
from bot.rasa.reading.stories import StoryReader

__all__ = ["is_rasa_project", "load_project", "require_environment"]


def load_project(path: Path | str, *, environment: Mapping[str, str] | None = None) -> RasaProject:
    """The Rasa project in folder ``path`` (formats 3.0, 3.1, and 2.0 as far as it goes).

    AssistantError names file, line and remedy of what is broken; what is understood but done otherwise or not at all
    is in ``unsupported``. ``environment`` stands for the process's variables.
    """
    root = Path(path)
    notes = Notes(root)
    files = collect(root, notes, environment)
    nlu = read_nlu((*files.domain, *files.data), files.json, notes)
    retrieval = {base_intent(example.intent) for example in nlu.examples if "/" in example.intent}
    domain = read_domain((*files.domain, *files.data), retrieval, notes)
    _check_nlu(nlu, domain, notes)
    initial = {slot.name: slot.initial_value for slot in domain.slots.values()}
    reader = StoryReader(root, StepReader.of(domain, nlu, notes), initial, notes)
    test_reader = StoryReader(root, StepReader.of(domain, nlu, notes, lenient=True), initial, notes)
    parts = (*files.domain, *files.data)
    stories, rules = reader.stories(parts), reader.rules(parts)
    reader.steps.require_all()
    domain = _with_spoken_actions(domain, (*stories, *rules))
    tests = test_reader.stories(files.tests, "test")
    config = read_config(files.config, notes)
    endpoints, credentials = read_endpoints(files.endpoints, notes), read_credentials(files.credentials, notes)
    return RasaProject(
        path=root,
        assistant_id=config["assistant_id"] or root.resolve().name,
        language=config["language"],
        domain=domain,
        nlu=nlu,
        stories=stories,
        rules=rules,
        tests=tests,
        pipeline=config["pipeline"],
        policies=config["policies"],
        endpoints=endpoints,
        credentials=credentials,
        unsupported=tuple(sorted(notes.found, key=lambda note: (note.file, note.line))),
        fingerprint=fingerprint(root, files.read),
    )


def _with_spoken_actions(domain: RasaDomain, stories: Sequence[Story]) -> RasaDomain:
    """The domain with what `bot:` steps say among its end-to-end actions, as Rasa's importer adds it."""
    spoken = [step.text for story in stories for step in story.steps if isinstance(step, ActionStep) and step.text]
    texts = tuple(dict.fromkeys((*domain.e2e_actions, *spoken)))
    if texts == domain.e2e_actions:
        return domain
    return replace(domain, e2e_actions=texts, raw={**domain.raw, "e2e_actions": list(texts)})


def require_environment(project: RasaProject) -> None:
    """AssistantError when endpoints.yml or credentials.yml needs an environment variable that was not set on loading.

    Call it before serving: a secret must never be the text `${NAME}` itself.
    """
    for note in project.unsupported:
        if note.what.startswith("the environment variable "):
            raise AssistantError(project.path / note.file, note.line, note.what, "Set it before serving")


def _check_nlu(nlu: NluData, domain: RasaDomain, notes: Notes) -> None:
    """Names of the NLU data that the domain lacks: Rasa only warns of them, so they are notes."""
    intents = {base_intent(example.intent) for example in nlu.examples} - {*domain.intents, *DEFAULT_INTENTS}
    entities = {entity.entity for example in nlu.examples for entity in example.entities} - set(domain.entities)
    for name in sorted({example.intent for example in nlu.examples if "/" in example.intent}):
        if f"utter_{name}" not in domain.responses:
            notes.add(
                notes.root / "domain.yml", 0, f"no response utter_{name}", f"{name!r} is understood, not answered"
            )
    for kind, names in (("intent", intents), ("entity", entities)):
        for name in sorted(names):
            what = f"the NLU data has the {kind} {name!r}, the domain hasn't"
            notes.add(notes.root / "domain.yml", 0, what, "learnt, but no story can use it; add it to the domain")
