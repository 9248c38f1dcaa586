"""What names mean, in general and in this schema."""
