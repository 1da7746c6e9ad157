"""Run the numerically sensitive tests under other kernels: ``python -m tests.kernels``.

NumPy, its BLAS, torch and the C library choose kernels by the processor, and each kernel rounds in its own
way. What passes on one processor must pass on all. The tests marked ``kernels`` run under three settings that
differ from what this processor takes by itself. Arguments are passed on to pytest.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
X86 = platform.machine().lower() in ("x86_64", "amd64")

#: Kernels for every processor on which the wheels of NumPy and torch run. OpenBLAS ignores unknown names. MKL
#: and oneDNN are inside of torch: whatever ATEN_CPU_CAPABILITY says, a sine in float64 is MKL's.
OLD_BLAS = {"OPENBLAS_CORETYPE": "Nehalem" if X86 else "ARMV8"}
OLD_TORCH = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
OLD_LIBM = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"}

VARIABLES = (*OLD_BLAS, "NPY_DISABLE_CPU_FEATURES", *OLD_TORCH, *OLD_LIBM)


def settings(found: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings by name, for a processor of which NumPy uses the features ``found``.

    Only these are disabled: NumPy does not start without the others, or warns that the processor lacks them.
    """
    wide = [name for name in found if name.startswith("AVX512") or name == "X86_V4"]
    no_features = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)}
    if wide:
        # What most processors take.
        between = {
            "OPENBLAS_CORETYPE": "Haswell",
            "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_CBWR": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
        }
    else:
        between = no_features | OLD_LIBM
    return {
        "the oldest kernels": OLD_BLAS | no_features | OLD_TORCH | OLD_LIBM,
        "AVX2, without AVX-512" if wide else "NumPy's oldest kernels": between,
        "the oldest kernels of BLAS and torch": OLD_BLAS | OLD_TORCH,
    }


def under(setting: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with one setting instead of any other."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES} | setting


def files(arguments: list[str]) -> list[str]:
    """Return the files with such tests, or none where the arguments name a file.

    To collect all the others too takes eight seconds of each worker.
    """
    if any((ROOT / argument.partition("::")[0]).exists() for argument in arguments):
        return []
    everything = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path) for path in everything if "pytest.mark.kernels" in path.read_text(encoding="utf-8")]


DIGITS = """
import json, math, zlib
import numpy as np
x = np.linspace(0.1, 3.0, 4096)
found = {
    "libm": np.array([math.exp(v) * math.sin(v) for v in x]),
    "NumPy": np.exp(x) * np.tanh(x),
    "BLAS": np.sin(x.reshape(64, 64)) @ np.cos(x.reshape(64, 64)),
}
try:
    import torch
    t = torch.from_numpy(x)
    found["torch"] = (t.exp() * t.tanh()).numpy()
except ImportError:
    pass
print(json.dumps({name: zlib.crc32(values.tobytes()) for name, values in found.items()}))
"""


def digits(setting: dict[str, str]) -> dict[str, int]:
    """Return a fingerprint of some numbers of each library, to the last digit; a warning is an error."""
    command = [sys.executable, "-W", "error", "-c", DIGITS]
    done = subprocess.run(command, env=under(setting), check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main(arguments: list[str]) -> int:
    """Run the tests under each setting, print what it changes, and return the first status that is not 0."""
    own = digits({})
    status = 0
    for name, setting in settings(np.show_config(mode="dicts")["SIMD Extensions"]["found"]).items():
        changed = [library for library, seen in digits(setting).items() if seen != own[library]]
        print(f"\n=== kernels: {name} ===")
        print(*(f"{variable}={value!r}" for variable, value in setting.items()))
        print(f"other last digits than this processor's own: {', '.join(changed) or 'none'}", flush=True)
        chosen = ["-m", "kernels and not sweep", *files(arguments)]
        command = [sys.executable, "-m", "pytest", *chosen, *arguments]
        environment = under(setting) | {"OMP_NUM_THREADS": "1"}
        status = status or subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
