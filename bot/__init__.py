"""The product: NLU, NLG, channels, server and CLI; the only place where parts are wired together."""
