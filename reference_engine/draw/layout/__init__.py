"""The layout of a picture: columns, heights, nested frames, and the lines between the boxes."""

from reference_engine.draw.layout.nesting import lay_out

__all__ = ["lay_out"]
