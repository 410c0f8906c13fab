"""The sandbox as data: every object a run creates, as plain dicts. Pure."""
