"""Tests of the conformance kit, and of our optimizers by it."""
