"""Double-DIP and its four applications."""
