"""What is known about orphan rows beyond their number: why, since when, and what deleting them would take along."""
