#!/usr/bin/env bash
# Run the default tests with the oldest versions that pyproject.toml allows, in an environment of their own.
# PYTHON names another interpreter than python3; the oldest one that is allowed is 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.venv-lower-bounds
"${PYTHON:-python3}" -m venv --clear "$folder"
"$folder/bin/python" - > "$folder/constraints.txt" << 'END'
import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wanted = [*project["dependencies"], *(bound for extra in project["optional-dependencies"].values() for bound in extra)]
for name, bound in sorted(set(re.findall(r"^([\w-]+)(?:\[\w+\])?>=([\w.]+)$", "\n".join(wanted), re.MULTILINE))):
    print(f"{name}=={bound}")
END
"$folder/bin/pip" install --quiet -e '.[test]' --constraint "$folder/constraints.txt"
"$folder/bin/pip" list
"$folder/bin/python" -m pytest
