"""A dialogue policy that Rejoinder learned, inside Rasa 3.6: `policies: - name: rejoinder_rasa.RejoinderPolicy`."""

from rejoinder_rasa.policy import RejoinderPolicy

__all__ = ["RejoinderPolicy"]
