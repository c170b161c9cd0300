"""hybridnet: overlay and underlay pods in one cluster."""

from lab.modes.hybridnet.mode import HYBRIDNET

__all__ = ["HYBRIDNET"]
