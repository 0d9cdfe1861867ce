"""From the formulas of an update rule to the ops of a step.

- `build` chooses, for each parameter, which of the next five makes its ops.
- `dense` and `sparse` update one parameter; `stacked` updates several small ones as one tensor;
  `fused` holds the kernels of `fused=True`; `native` has one op of our own for all parameters.
- `values` and `sparse_values` compute formulas.
- `patterns` recognises the formulas for which there is a kernel.
- `kernels` and `assignments` hold the ops that write.
- `constants` and `rounding` keep the bits.
"""
