"""JAX arrays, pytrees, and gradients by ``jax.vjp``."""
