"""NumPy arrays and Python numbers."""
