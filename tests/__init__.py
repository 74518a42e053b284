"""Tests of initsk."""

import os

# Threads that wait for work must not keep the cores busy; torch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
