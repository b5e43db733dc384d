"""Compiled kernels: plain C for what takes most of the time, where a C compiler was there to build it."""
