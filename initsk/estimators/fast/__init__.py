"""Training steps without autograd: an optimization of the MLP estimators."""
