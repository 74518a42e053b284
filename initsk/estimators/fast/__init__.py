"""Training epochs without autograd: an optimization of the MLP estimators.

Parameters, gradients, optimizer state and history must equal those of skorch's own steps to rounding;
``tests/estimators/test_dense_step.py`` compares both.
"""
