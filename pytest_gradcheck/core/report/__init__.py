"""A decided check as a result, as text, as figures and as source to paste."""
