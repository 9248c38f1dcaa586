"""The headings under which `holdfast --help` lists commands: name of the command -> heading."""

LOOK = "Look"
CHANGE = "Change"
JOBS = "Jobs"
SET_UP = "Set up"

PANELS = {
    **dict.fromkeys(("audit", "relationships", "tables", "findings", "orphans", "report", "history", "impact", "gate", "export"), LOOK),
    **dict.fromkeys(("ignore", "unignore"), LOOK),
    **dict.fromkeys(("init", "plan", "script", "apply", "rollback", "restore"), CHANGE),
    **dict.fromkeys(("watch", "pause", "resume", "cancel"), JOBS),
    **dict.fromkeys(("completion", "log"), SET_UP),
}
