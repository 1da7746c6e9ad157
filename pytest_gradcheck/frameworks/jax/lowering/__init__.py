"""JAX functions on the reference engine.

A function is traced to a jaxpr, in which rules written by hand are left aside: their forward computation
stands in their place. `replay` runs the jaxpr on `reference_engine` tensors, to be differentiated there, by
rules that have nothing to do with JAX's. What has no row in the tables of `rules` is refused by its name.
"""
