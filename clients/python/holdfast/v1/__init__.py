"""Generated from proto/holdfast/v1. Never edit; run `make proto`."""
