"""calico: blocks of the pod network handed out on demand, and three ways to the other nodes' blocks."""

from lab.modes.calico.mode import CALICO_MODES

__all__ = ["CALICO_MODES"]
