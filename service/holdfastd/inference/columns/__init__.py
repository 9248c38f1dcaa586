"""What is seen of every column, and how it is weighed."""
