"""A form's validation action."""

from rasa_sdk.forms import FormValidationAction


class ValidateOrderForm(FormValidationAction):
    def name(self):
        return "validate_order_form"

    async def required_slots(self, domain_slots, dispatcher, tracker, domain):
        return [*domain_slots, "name"] if tracker.get_slot("size") == "large" else domain_slots

    def validate_size(self, value, dispatcher, tracker, domain):
        if value in ("small", "large"):
            return {"size": value}
        dispatcher.utter_message(text="We only have small and large.")
        return {"size": None}

    async def extract_name(self, dispatcher, tracker, domain):
        return {"name": "Ann"}
