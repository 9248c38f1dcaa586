"""What should happen to referencing rows when their referenced row is deleted."""
