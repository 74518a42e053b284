#!/usr/bin/env bash
# Run the tests on networks of other libraries, in an environment of their own; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.venv-zoo
"${PYTHON:-python3}" -m venv --clear "$folder"
# For this version the package index has a build for the CPU. torchvision has none, and lacks its operators there.
"$folder/bin/pip" install --quiet torch==2.13.0
"$folder/bin/pip" install --quiet -e '.[test,zoo]' torch==2.13.0
"$folder/bin/pip" list
"$folder/bin/python" -m pytest tests/zoo -m slow "$@"
