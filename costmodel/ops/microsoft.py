"""Contrib operators of the com.microsoft domain: fused kernels that runtimes write into optimised models."""
