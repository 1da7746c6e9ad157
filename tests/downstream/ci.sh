#!/usr/bin/env bash
# What this project's CI does once the package and its extra "test" are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PYTHON:-python}" -m pytest \
  --gradcheck-profile=quick \
  --gradcheck-deterministic \
  --gradcheck-fail-under=100 \
  --gradcheck-max-inconclusive=0 \
  --gradcheck-cov-fail-under=100 \
  --gradcheck-report=report.json \
  --gradcheck-report=report.html \
  --gradcheck-report="markdown-append:${GITHUB_STEP_SUMMARY:-summary.md}" \
  "$@"
