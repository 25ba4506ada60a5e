"""The commands of dil-teach, one module each.

A command imports the library inside its function, so that ``dil-teach --help`` does not
wait for torch.
"""
