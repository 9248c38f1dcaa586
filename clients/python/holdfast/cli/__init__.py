"""The `holdfast` command: arguments in, one response message out, as tables, JSON or YAML."""
