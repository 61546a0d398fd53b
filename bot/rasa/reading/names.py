"""Names that every Rasa project has without declaring them."""

from __future__ import annotations

DEFAULT_ACTIONS = (
    "action_listen", "action_restart", "action_session_start", "action_default_fallback", "action_deactivate_loop",
    "action_revert_fallback_events", "action_default_ask_affirmation", "action_default_ask_rephrase",
    "action_two_stage_fallback", "action_unlikely_intent", "action_back", "...", "action_extract_slots",
)  # fmt: skip
"""In Rasa's order, which is the order of its action indices."""
OPTIONAL_ACTIONS = ("action_validate_slot_mappings", "action_query_knowledge_base")
DEFAULT_INTENTS = ("restart", "back", "out_of_scope", "session_start", "nlu_fallback")
DEFAULT_SLOTS = (
    "requested_slot", "session_started_metadata", "knowledge_base_last_object", "knowledge_base_last_object_type",
    "knowledge_base_listed_objects",
)  # fmt: skip
FALLBACK_INTENT = "nlu_fallback"


def base_intent(name: str) -> str:
    """The intent that the domain lists: `faq` of the retrieval intent `faq/ask_name`."""
    return name.split("/", maxsplit=1)[0]
