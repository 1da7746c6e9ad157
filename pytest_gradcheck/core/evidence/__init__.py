"""The methods' numbers for a derivative, and how far they differ."""
