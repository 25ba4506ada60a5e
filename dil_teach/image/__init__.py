"""One image as a tensor: its convention, files, sizes, kernels, warps, photographs."""
