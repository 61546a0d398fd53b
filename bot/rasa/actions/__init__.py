"""Who runs a project's custom actions: a server, this process, or nobody."""
