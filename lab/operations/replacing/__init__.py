"""A control plane that is dead for good, and a new machine in its place."""
