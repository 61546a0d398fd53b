"""The nightly job: slow-moving scores counted from the log, and the store they are served from."""
