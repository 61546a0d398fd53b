"""Errors that are a person's business: shown as their message, without a stack trace.

ValueError
├── ConfigError          config.yml
├── AssistantError       the assistant's folder
├── OntologyError        slots, values and table contradict each other
├── ModelError           a trained model is missing, damaged or of another assistant
├── MemoryModelError     a trained memory is missing, damaged or of another version
├── BabiFormatError      a file of stories does not parse
├── OfflineEvaluationError  a log, or a policy, that can't be evaluated offline
├── LetorError           a file of ranking data does not parse
├── RankerError          a trained ranker is missing or damaged
├── LatentModelError     a fitted model of users is missing or damaged
├── QueryFileError       a file of recorded queries does not parse
├── SelectionError       what was learned about selection is damaged, or slates do not parse
├── DeviceError          training.device names a device that is not there
├── SlackSettingsError   Slack is turned on, but a secret or its package is missing
├── BundleError          an exported bundle can't be made or is damaged
├── KeyValuesError       the store of batch scores is damaged
├── LibsvmError          a file isn't in LIBSVM's format
├── ProblemError         data, loss and penalties make no problem that can be solved
└── CorpusError          a corpus file does not parse
CommandError             anything else a command can't do
"""

from __future__ import annotations

from bot.assistant import AssistantError
from bot.config import ConfigError
from memory.ontology import OntologyError


class CommandError(RuntimeError):
    """A command can't do what it was asked; the message says why and what to do."""


def explain(error: Exception) -> str | None:
    """The message for the person, or None when the error is a defect that should show its stack."""
    if isinstance(error, (CommandError, ConfigError, AssistantError, OntologyError)):
        return str(error)
    known = (
        "ModelError",
        "ErrorModelError",
        "MemoryModelError",
        "ResponseError",
        "EncoderError",
        "CorpusError",
        "FittedUserError",
        "LearnedUserError",
        "StoreUnavailable",
        "StoreVersionError",
        "NLUError",
        "WidgetError",
        "SettingsError",
        "SlackSettingsError",
        "SecretError",
        "BabiFormatError",
        "OfflineEvaluationError",
        "OpenBanditError",
        "SurvivalDataError",
        "LetorError",
        "RankerError",
        "LatentModelError",
        "QueryFileError",
        "ParaphraseModelError",
        "SelectionError",
        "LoggedSlateError",
        "BundleError",
        "DeviceError",
        "NpmPackageError",
        "LibsvmError",
        "ProblemError",
        "WorkerError",
        "KeyValuesError",
    )
    if type(error).__name__ in known:
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    return None
