"""Images that users bring, on the nodes: into the store of the container runtime, and out of it."""
