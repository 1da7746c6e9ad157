"""The function under test at a point: its inputs, its outputs, and a call at other points."""
