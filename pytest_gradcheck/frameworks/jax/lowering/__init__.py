"""JAX functions on the reference engine.

A function is traced to a jaxpr, in which the forward computation replaces hand-written rules. `replay` runs
the jaxpr on `reference_engine` tensors, to be differentiated there by rules independent of JAX's. Primitives
without a row in the tables of `rules` are refused by name.
"""
