"""What each table seems to be for."""
