"""Sums, integrals and special functions behind the models, without overflow and without what cancels."""
