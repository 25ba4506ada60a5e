"""External super-resolution: the networks, their training and their use."""

from dil_teach.deep.external_sr.external_sr import ExternalSettings, ExternalTraining

# the names by which saved states of unfinished training find these classes
__all__ = ["ExternalSettings", "ExternalTraining"]
