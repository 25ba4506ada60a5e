"""KernelGAN: the method and its networks."""
