"""Tools for one image as a tensor: files, resizing, kernels, warps, photographs."""
