"""Waiting for locks without harming others: who is in the way, who is too old to queue behind, when to stop a statement."""
