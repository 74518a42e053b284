"""Tests of initsk."""

import os

# Threads that wait for work must not keep the cores busy. The libraries read these when they are imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
