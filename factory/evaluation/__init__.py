"""Statistics, the gate's verdict and its reasons, and row-by-row comparison of contenders."""
