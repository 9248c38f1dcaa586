"""How the values of columns that may be references meet the keys they may point at."""
