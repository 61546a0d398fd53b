"""The graph component of Rasa 3.6 that asks an exported Rejoinder policy for the next action."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional, Type, TypeVar

from rasa.core.policies.policy import Policy, PolicyPrediction
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.slots import BooleanSlot, CategoricalSlot, FloatSlot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from rejoinder_rasa.network import MANIFEST_FILE, MODEL_FILE, ExportError, StoryNetwork

logger = logging.getLogger(__name__)

Self = TypeVar("Self", bound="RejoinderPolicy")


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class RejoinderPolicy(Policy):
    """Predicts with a policy that was trained elsewhere; `rasa train` only checks it and puts it into the model.

    Settings in config.yml: ``model``, the folder with stories.onnx and manifest.json; ``priority``, which counts only
    between policies that are equally sure.
    """

    def __init__(
        self,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        network: Optional[StoryNetwork] = None,
    ) -> None:
        super().__init__(config, model_storage, resource, execution_context)
        self.network = network

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Rasa asks for ``max_history``; how many states count is the network's business, which sees fewer."""
        return {"priority": 1, "max_history": 20, "model": None}

    @staticmethod
    def required_packages() -> List[str]:
        """Checked by Rasa before it trains."""
        return ["onnxruntime"]

    def train(self, training_trackers: List[TrackerWithCachedStates], domain: Domain, **kwargs: Any) -> Resource:
        """Copy the exported policy into the model. InvalidConfigException when it can't be used with this domain."""
        folder = self.config.get("model")
        if not folder:
            raise InvalidConfigException(
                "RejoinderPolicy: config.yml names no policy. Write `model: path/of/the/trained/model/policy`"
            )
        network = _load(Path(folder))
        known = set(domain.action_names_or_texts)
        strange = [name for name in network.actions if name not in known]
        if len(strange) == len(network.actions):
            raise InvalidConfigException(
                f"RejoinderPolicy: none of the actions of {folder} is in the domain, e.g. {strange[0]!r}. "
                "Train it on this project: `rejoinder train --assistant .`"
            )
        if strange:
            logger.warning("RejoinderPolicy: the domain has no %s; train it on this project again", ", ".join(strange))
        with self._model_storage.write_to(self._resource) as path:
            for name in (MODEL_FILE, MANIFEST_FILE):
                shutil.copyfile(Path(folder) / name, path / name)
        self.network = network
        return self._resource

    @classmethod
    def load(
        cls: Type[Self],
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> Self:
        """The policy out of a trained model."""
        with model_storage.read_from(resource) as path:
            network = _load(Path(path))
        return cls(config, model_storage, resource, execution_context, network)

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """A probability for every action of the domain; all 0, which abstains, before training."""
        actions = domain.action_names_or_texts
        if self.network is None:
            return self._prediction([0.0] * len(actions))
        states = self._prediction_states(tracker, domain, rule_only_data=rule_only_data)
        values = self.network([_readable(state, domain) for state in states])
        probabilities = dict(zip(self.network.actions, values.tolist()))
        return self._prediction([probabilities.get(name, 0.0) for name in actions])


def _load(folder: Path) -> StoryNetwork:
    try:
        return StoryNetwork(folder)
    except ExportError as error:
        raise InvalidConfigException(f"RejoinderPolicy: {error}") from None


def _readable(state: State, domain: Domain) -> Dict[str, Any]:
    """A state of Rasa's with texts instead of numbers for slots, as Rejoinder's vocabulary names them."""
    slots = {slot.name: slot for slot in domain.slots}
    found = {name: _feature(slots.get(name), value) for name, value in (state.get("slots") or {}).items()}
    user = dict(state.get("user") or {})
    if user.get("entities"):
        user["entities"] = [_entity(name, domain) for name in user["entities"]]
    return {**state, "user": user, "slots": {name: value for name, value in found.items() if value is not None}}


def _feature(slot: Any, value: Any) -> Optional[str]:
    """What a slot's numbers mean: Rasa gives (1.0,), one number a category, (1.0, truth) or (1.0, share)."""
    if not isinstance(value, tuple):
        return None
    if isinstance(slot, CategoricalSlot):
        return str(slot.values[value.index(1.0)]).lower() if 1.0 in value else None
    if isinstance(slot, BooleanSlot):
        return "true" if value[1] else "false"
    if isinstance(slot, FloatSlot):
        return f"{slot.min_value + value[1] * (slot.max_value - slot.min_value):g}"
    return "set"


def _entity(name: str, domain: Domain) -> str:
    """``city#to`` for a role, ``city##1`` for a group, which Rasa writes like a role."""
    entity, mark, label = name.partition("#")
    return f"{entity}##{label}" if mark and label in domain.entity_properties.groups.get(entity, ()) else name
