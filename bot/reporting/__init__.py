"""What the conversations amount to: tables for analysis, and the report."""
