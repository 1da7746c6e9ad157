"""PyTorch: tensors, autograd, lowering to the reference engine, and its stand-in for NumPy code."""
