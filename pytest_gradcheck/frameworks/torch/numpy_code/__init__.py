"""NumPy code run on tensors, for autograd to differentiate."""
