"""Super-resolution without a network, from the patches of the image itself."""
