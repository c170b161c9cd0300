"""The known mistakes, as commands: each module holds a family of faults, the registry holds them all."""
