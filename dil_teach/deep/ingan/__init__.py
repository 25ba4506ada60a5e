"""InGAN."""
