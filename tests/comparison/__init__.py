"""What checks find and cost before and after a change of the code: the modules `verdicts` and `footprint`."""
