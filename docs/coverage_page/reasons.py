"""Why a function of NumPy or scipy has no rule. What has one is read from the engine's own tables.

`docs/coverage.py` fails for a function that stands neither in those tables nor here, and for a reason that is
given for a function which has a rule by now.
"""

from __future__ import annotations


def by_name(groups: dict[str, str]) -> dict[str, str]:
    """reason -> names in one string, as name -> reason."""
    reasons: dict[str, str] = {}
    for reason, names in groups.items():
        for name in names.split():
            if name in reasons:
                raise ValueError(f"{name} has two reasons: {reasons[name]!r} and {reason!r}")
            reasons[name] = reason
    return reasons


NO_ARRAY = by_name({
    "shapes, axes and indices": """
        broadcast_shapes diag_indices indices mask_indices tril_indices triu_indices
        lib.array_utils.normalize_axis_index lib.array_utils.normalize_axis_tuple""",
    "dtypes": "isdtype issubdtype mintypecode promote_types typename datetime_data",
    "windows with an integer number of points": "bartlett blackman hamming hanning kaiser",
    "the step `d` may be a Tensor": "fft.fftfreq fft.rfftfreq",
    "the type of an object": "isscalar iterable",
    "settings of NumPy": """
        get_include get_printoptions getbufsize geterr geterrcall info printoptions set_printoptions
        setbufsize seterr seterrcall show_config show_runtime test linalg.test fft.test""",
})  # fmt: skip
"""NumPy's functions without an array argument, by what they are about."""

NO_RULE = by_name({
    "dates": "busday_count busday_offset datetime_as_string is_busday isnat",
    "text": "base_repr binary_repr format_float_positional format_float_scientific",
    "files": "save savez savez_compressed savetxt load fromregex",
    "the dtype of the result depends on the values: compute with `x.astype(complex)`": """
        emath.arccos emath.arcsin emath.arctanh emath.log emath.log10 emath.log2 emath.logn
        emath.power emath.sqrt""",
    "NumPy converts the argument to an array, which removes it from the graph": """
        asarray_chkfinite asmatrix bmat""",
    "depends on the memory of an array, which a Tensor does not expose": """
        from_dlpack isfortran nested_iters lib.stride_tricks.as_strided lib.array_utils.byte_bounds""",
    "creates a new ufunc, which has no rule": "frompyfunc",
    "deprecated by NumPy: `vstack`": "row_stack",
})  # fmt: skip
"""NumPy's functions that take arrays and have no rule."""

CLASSES = by_name({
    "`concatenate`, `column_stack` and `stack` do the same": "r_ c_",
    "index with a Tensor as with an array": "s_ index_exp",
    "grids of plain numbers; `linspace` and `meshgrid` take Tensors": "mgrid ogrid",
    "converts its argument to an array: loop, or write the function for arrays": "vectorize",
    "with plain coefficients it takes a Tensor; for the coefficients use `polyval`": "poly1d",
    "iterates over arrays: iterate over the Tensor": "broadcast flatiter ndenumerate nditer",
    "contains no arrays": "ndindex dtype finfo iinfo errstate",
    "dates": "busdaycalendar",
    "array subclasses, whose behavior would be lost": "matrix memmap recarray",
    "replaced by Tensors": "ndarray ufunc",
})  # fmt: skip
"""NumPy's classes, and the objects that are called by indexing."""

NAMESPACES = by_name({
    "strings": "char strings",
    "structured arrays": "rec lib.recfunctions",
    "masked arrays are a class of their own: `where=` and `numpy.where` take masks": "ma",
    "random numbers are constants; `mean + scale * normal(size=n)` is differentiable in both": "random",
    "coefficients must be plain; `polyval`, `chebval` and others take a Tensor as the point": "polynomial",
    "assertions: pass `tensor.data`": "testing",
    "files": "lib.format lib.npyio",
    "no functions of arrays": "core ctypeslib dtypes exceptions f2py lib lib.introspect lib.mixins typing",
})  # fmt: skip
"""NumPy's namespaces that are not listed function by function."""

ATTRIBUTES = by_name({
    "depends on the memory of an array, which a Tensor does not expose": """
        base byteswap ctypes flags getfield resize setfield setflags strides view""",
    "writes text or files: use `tensor.data`": "dump dumps tobytes tofile",
    "there is one device": "to_device",
})  # fmt: skip
"""Attributes of numpy.ndarray that a Tensor does not have."""

ARGUMENTS = {
    "cov": ("`fweights`", "integers; `aweights` has a derivative"),
    "linalg.qr": ("further columns of a complete Q", 'use `mode="reduced"` or `"r"`'),
    "linalg.svd": (
        "further columns of a full U or V",
        "the argument does not determine them; everything else has a derivative",
    ),
    "pad": ("`constant_values`", '`mode="empty"` and a function as mode have no rule'),
    "quantile": ("`q`", "`nanquantile` too"),
    "percentile": ("`q`", "`nanpercentile` too"),
    "unwrap": ("`discont`, `period`", ""),
}
"""Arguments that the implementations in Python reject, besides those without a rule in the tables."""

UFUNCS_NO_RULE = by_name({
    "an inverse in a parameter for which the function has no closed-form derivative": """
        bdtrik bdtrin btdtria btdtrib chdtriv chndtridf fdtridfd gdtrib nbdtrik nbdtrin ncfdtridfd
        ncfdtridfn nctdtridf pdtrik stdtridf""",
    "not written yet: non-central distributions": """
        chndtr chndtrinc chndtrix ncfdtr ncfdtri ncfdtrinc nctdtr nctdtrinc nctdtrit""",
    "not written yet: Kolmogorov and Smirnov": "kolmogi kolmogorov smirnov smirnovi",
    "not written yet: Mathieu functions": """
        mathieu_a mathieu_b mathieu_cem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1
        mathieu_modsem2 mathieu_sem""",
    "not written yet: spheroidal wave functions": """
        obl_ang1 obl_ang1_cv obl_cv obl_rad1 obl_rad1_cv obl_rad2 obl_rad2_cv pro_ang1 pro_ang1_cv
        pro_cv pro_rad1 pro_rad1_cv pro_rad2 pro_rad2_cv""",
    "not written yet": "besselpoly it2i0k0 it2j0y0 kelvin log_wright_bessel modfresnelm modfresnelp",
    "Riemann's zeta function has no closed-form derivative": "zetac",
})  # fmt: skip
"""The ufuncs of scipy.special without a rule."""

FUNCTIONS_NO_RULE = {
    "special": by_name({
        "functions of integers": "bernoulli euler factorial2 factorialk stirling2",
        "zeros of functions, which are numbers": """
            ai_zeros bei_zeros beip_zeros ber_zeros berp_zeros bi_zeros erf_zeros fresnel_zeros
            fresnelc_zeros fresnels_zeros jn_zeros jnjnp_zeros jnp_zeros jnyn_zeros kei_zeros
            keip_zeros kelvin_zeros ker_zeros kerp_zeros y0_zeros y1_zeros y1p_zeros yn_zeros
            ynp_zeros""",
        "creates a polynomial of integer degree: use `eval_legendre` and similar functions": """
            chebyc chebys chebyt chebyu gegenbauer genlaguerre hermite hermitenorm jacobi laguerre
            legendre sh_chebyt sh_chebyu sh_jacobi sh_legendre""",
        "nodes and weights of a quadrature": """
            c_roots cg_roots h_roots he_roots j_roots js_roots l_roots la_roots p_roots ps_roots
            roots_chebyc roots_chebys roots_chebyt roots_chebyu roots_gegenbauer roots_genlaguerre
            roots_hermite roots_hermitenorm roots_jacobi roots_laguerre roots_legendre
            roots_sh_chebyt roots_sh_chebyu roots_sh_jacobi roots_sh_legendre s_roots t_roots
            ts_roots u_roots us_roots""",
        "not written yet: every order at once": "obl_cv_seq pro_cv_seq",
        "scipy computes a scalar and its derivatives, not arrays": """
            lmbda lqmn lqn mathieu_even_coef mathieu_odd_coef pbdn_seq pbdv_seq pbvv_seq
            riccati_jn riccati_yn""",
        "not written yet: ellipsoidal harmonics": "ellip_harm ellip_harm_2 ellip_normal",
        "not written yet: every degree at once": """
            assoc_legendre_p_all legendre_p_all sph_harm_y_all sph_legendre_p_all""",
        "settings of scipy": "geterr seterr",
    }),
    "linalg": by_name({
        "matrices defined by integers": "dft hadamard helmert hilbert invhilbert invpascal pascal",
        "about dtypes and LAPACK": "find_best_blas_type get_blas_funcs get_lapack_funcs",
        "not written yet": """
            cdf2rdf cho_solve_banded cholesky_banded cossin expm_cond fiedler_companion funm ldl qr_delete
            qr_insert qr_multiply qr_update rsf2csf""",
    }),
}  # fmt: skip
"""Other functions of scipy without a rule, by module."""
