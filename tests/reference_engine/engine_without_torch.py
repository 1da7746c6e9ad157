"""The rows that torch takes no part in, by the reason, as the method's own words have it.

Torch runs the same NumPy code (`pytest_gradcheck.methods.numpy_on_torch`); every other row is compared with
it.
"""

from __future__ import annotations

REASONS = {
    "no counterpart of numpy.": """
        apply_along_axis ediff1d insert lib.stride_tricks.sliding_window_view nanmedian nanpercentile
        nanquantile partition unwrap
        special.beta special.betainc special.betaln special.cosm1 special.dawsn special.erfcinv special.erfi
        special.exp1 special.exp10 special.expi special.gamma special.gammainc special.gammaincc special.iv
        special.ive special.j0 special.j1 special.jv special.k0 special.k1 special.kl_div special.kv
        special.rel_entr special.rgamma special.y0 special.y1 special.yv add.at subtract.at
    """,
    "takes the value out of the graph": """
        linalg.lstsq linspace vander
        convolution convolution_transpose fold index_put log_softmax logsumexp polygamma scatter softmax
        solve_triangular windows
    """,
    "the derivative for 'unique_dim' is not implemented": "unique",
    "changes its argument in place": "copyto fill_diagonal place put put_along_axis putmask",
}

WITHOUT_TORCH = {name: reason for reason, names in REASONS.items() for name in names.split()}
