"""What a look at rows says for and against."""
