"""Tools for one image as a tensor.

They cover the shape convention, reading and writing files, resizing, blur kernels,
warps and the included photographs.
"""
