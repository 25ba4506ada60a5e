"""The functions behind the commands of ``dil-teach``.

A command imports the library inside its function, so that ``dil-teach --help`` does not
wait for torch.
"""
