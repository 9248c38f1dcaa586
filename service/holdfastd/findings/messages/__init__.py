"""The sentences of findings, one file per family: what is wrong, what happens if nothing is done, what to do."""
