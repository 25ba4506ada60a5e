"""The commands of dil-teach, one module a method.

What a command needs of the library it imports itself: ``dil-teach --help`` shall not
wait for torch.
"""
