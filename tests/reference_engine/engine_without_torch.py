"""The rows that torch takes no part in, by the reason, as the method's own words have it.

Torch runs the same NumPy code (`pytest_gradcheck.frameworks.torch.numpy_code`); every other row is
compared with it.
"""

from __future__ import annotations

from reference_engine.rules.special import SPECIAL

REASONS = {
    "no counterpart of numpy.": """
        apply_along_axis ediff1d insert lib.stride_tricks.sliding_window_view nanmedian nanpercentile
        nanquantile partition unwrap frexp maximum.accumulate minimum.accumulate sort_complex
        unique_all unique_counts unique_inverse union1d setxor1d setdiff1d intersect1d trim_zeros
        apply_over_axes piecewise histogram_bin_edges
        polyadd polysub polymul polydiv polyder polyint poly roots polyfit
        add.at subtract.at
    """,
    "takes the value out of the graph": """
        linalg.lstsq linspace logspace vander
        convolution convolution_transpose fold index_put log_softmax logsumexp polygamma scatter softmax
        solve_triangular windows
    """,
    "numpy.stack of arrays": "asarray asanyarray ascontiguousarray asfortranarray require array full arange",
    "torch: numpy.geomspace": "geomspace",
    "derivative for aten::histogram": "histogram",
    "derivative for aten::_histogramdd": "histogramdd histogram2d",
    "the derivative for 'unique_dim' is not implemented": "unique",
    "derivative for aten::bincount is not implemented": "bincount",
    "changes its argument in place": "copyto fill_diagonal place put put_along_axis putmask",
}

# What torch has of scipy.special, under these names.
WITH_TORCH = frozenset([
    "entr", "erf", "erfc", "erfcx", "erfinv", "expit", "gammaln", "i0", "i0e", "i1", "i1e", "log_expit",
    "log_ndtr", "logit", "ndtr", "ndtri", "psi", "xlog1py", "xlogy",
])  # fmt: skip

WITHOUT_TORCH = {
    **{f"special.{name}": "no counterpart of numpy." for name in SPECIAL if name not in WITH_TORCH},
    **{name: reason for reason, names in REASONS.items() for name in names.split()},
}
