"""The checker itself; knows neither pytest nor Hypothesis."""
