"""Policies for assistants that are written as stories and rules: memorised, imitated, and learned beyond them."""
