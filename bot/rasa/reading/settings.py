"""config.yml, endpoints.yml and credentials.yml: which entries are honoured, and what happens to the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.assistant_yaml import YamlMap, describe
from bot.rasa.reading.files import Notes, plain
from bot.rasa.tracker_store import database_url

_KEYS = ("recipe", "assistant_id", "language", "pipeline", "policies", "importers", "version")
_OWN_NLU = "replaced by Rejoinder's own NLU"
_HONOURED = frozenset(("FallbackClassifier", "RegexEntityExtractor", "EntitySynonymMapper", "ResponseSelector"))
"""Pipeline components whose work or settings Rejoinder's NLU has."""
_FEATURIZERS = (
    "Featurizer", "Tokenizer", "SpacyNLP", "MitieNLP", "DIETClassifier", "CRFEntityExtractor",
    "SklearnIntentClassifier", "LogisticRegressionClassifier", "KeywordIntentClassifier", "MitieIntentClassifier",
    "MitieEntityExtractor", "SpacyEntityExtractor",
)  # fmt: skip
_DUCKLING = ("DucklingEntityExtractor", "DucklingHTTPExtractor")
DUCKLING_DIMENSIONS = ("number", "time")
"""Of duckling's dimensions, those that are read without a duckling server."""
_POLICIES = {"RulePolicy": "", "MemoizationPolicy": "", "AugmentedMemoizationPolicy": "memoization without forgetting"}
_TED = ("TEDPolicy", "KerasPolicy", "EmbeddingPolicy", "SklearnPolicy")
_OLD_RULES = ("FormPolicy", "MappingPolicy", "FallbackPolicy", "TwoStageFallbackPolicy")
_CHANNELS = ("rest", "socketio", "slack")
_ENDPOINTS = ("action_endpoint", "nlg", "nlu", "models", "tracker_store", "lock_store", "event_broker")


def read_config(config: YamlMap, notes: Notes) -> dict[str, Any]:
    """`assistant_id`, `language`, `pipeline` and `policies` with defaults; notes what isn't done as written."""
    for key in config:
        if key not in _KEYS:
            notes.add(config.file, config.lines[key], f"config key {key!r}", "not read")
    if config.get("importers") is not None:
        notes.add(config.file, config.lines["importers"], "importers", "the project's own files are read")
    language = str(config.get("language") or "en")
    if language.split("-", maxsplit=1)[0].split("_", maxsplit=1)[0] != "en":
        instead = "the shipped sentence encoder is English; name another one: `nlu.encoder` in Rejoinder's config.yml"
        notes.add(config.file, config.lines["language"], f"language {language!r}", instead)
    pipeline, policies = _components(config, "pipeline"), _components(config, "policies")
    for entry in pipeline:
        _note_component(entry, notes)
    for entry in policies:
        _note_policy(entry, notes)
    return {
        "assistant_id": str(config.get("assistant_id") or ""),
        "language": language,
        "pipeline": tuple(plain(entry) for entry in pipeline),
        "policies": tuple(plain(entry) for entry in policies),
    }


def read_endpoints(endpoints: YamlMap, notes: Notes) -> Mapping[str, Any]:
    """endpoints.yml as plain values."""
    for key, value in endpoints.items():
        line = endpoints.lines[key]
        kind = str(value.get("type", "")) if isinstance(value, YamlMap) else ""
        if key not in _ENDPOINTS:
            notes.add(endpoints.file, line, f"endpoint {key!r}", "not used")
        elif value is not None and not isinstance(value, YamlMap):
            raise endpoints.error(key, f"{key!r} is {describe(value)}, expected settings", "Write `url: ...` below it")
        elif key == "tracker_store" and value is not None and database_url(endpoints) is None:
            what = f"tracker store {kind or 'without type'} {value.get('dialect', '')}".rstrip()
            notes.add(endpoints.file, line, what, "conversations are kept in Rejoinder's store: SQLite or PostgreSQL")
        elif key == "event_broker":
            notes.add(endpoints.file, line, "an event broker", "events are in the store; see `rejoinder log`")
        elif key == "lock_store" and kind not in ("in_memory", ""):
            notes.add(endpoints.file, line, f"lock store {kind!r}", "conversations are locked by the store itself")
        elif key in ("models", "nlu") or (key == "nlg" and kind):
            notes.add(endpoints.file, line, f"endpoint {key!r}", "not used: the trained model folder answers")
    values: dict[str, Any] = plain(endpoints)
    return values


def read_credentials(credentials: YamlMap, notes: Notes) -> Mapping[str, Any]:
    """credentials.yml as plain values, null settings included."""
    for key, value in credentials.items():
        if value is not None and not isinstance(value, YamlMap):
            raise credentials.error(
                key, f"channel {key!r} is {describe(value)}", "Write its settings below it, or nothing"
            )
        if key not in _CHANNELS:
            notes.add(
                credentials.file, credentials.lines[key], f"channel {key!r}", f"not served; {', '.join(_CHANNELS)} are"
            )
    values: dict[str, Any] = plain(credentials)
    return values


def _components(config: YamlMap, key: str) -> list[YamlMap]:
    """The entries of `pipeline` or `policies`, each a mapping with a name."""
    value = config.get(key)
    if value is None or isinstance(value, str):
        return []
    entries: list[YamlMap] = []
    items = config.take(key, "list")
    for index, entry in enumerate(items):
        if isinstance(entry, str):
            named = YamlMap(items.file, items.lines[index])
            named["name"], named.lines["name"] = entry, items.lines[index]
            entry = named
        if not isinstance(entry, YamlMap):
            raise items.error(index, f"an entry of {key!r} is {describe(entry)}", "Write `- name: ...`")
        entry.take("name", "str")
        entries.append(entry)
    return entries


def _note_component(entry: YamlMap, notes: Notes) -> None:
    name = str(entry["name"])
    short = name.rsplit(".", maxsplit=1)[-1]
    if short in _DUCKLING:
        wanted = [str(x) for x in entry.get("dimensions") or ()]
        left = [x for x in wanted if x not in DUCKLING_DIMENSIONS] or ([] if wanted else ["all dimensions"])
        instead = "read by Rejoinder's own grammar"
        notes.add(entry.file, entry.line, name, f"{instead}; not {', '.join(left)}" if left else instead)
    elif short in _HONOURED:
        _check_honoured(short, entry, notes)
    elif short.endswith(_FEATURIZERS):
        notes.add(entry.file, entry.line, name, _OWN_NLU)
    else:
        notes.add(entry.file, entry.line, f"the pipeline component {name!r}", f"not run; {_OWN_NLU}")


def _note_policy(entry: YamlMap, notes: Notes) -> None:
    name = str(entry["name"])
    short = name.rsplit(".", maxsplit=1)[-1]
    if short in _TED:
        notes.add(entry.file, entry.line, name, "replaced by Rejoinder's learned policy")
    elif short in _OLD_RULES:
        notes.add(entry.file, entry.line, f"{name} (format 2)", "its work is done by the rules")
    elif short == "UnexpecTEDIntentPolicy":
        notes.add(entry.file, entry.line, name, "left out: action_unlikely_intent never happens")
    elif short not in _POLICIES:
        notes.add(
            entry.file, entry.line, f"the policy {name!r}", "not run; rules, memory and the learned policy decide"
        )


def _check_honoured(short: str, entry: YamlMap, notes: Notes) -> None:
    """The settings of a component that Rejoinder's NLU stands in for."""
    for key in ("threshold", "ambiguity_threshold") if short == "FallbackClassifier" else ():
        value = entry.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise entry.error(key, f"{key!r} is {describe(value)}", "Write a number from 0 to 1")
    for key in ("use_lookup_tables", "use_regexes", "use_word_boundaries") if short == "RegexEntityExtractor" else ():
        if entry.get(key) is False:
            notes.add(entry.file, entry.lines[key], f"{short}: {key}: false", "not honoured: it is taken as true")
