"""Kubernetes network laboratories made of real virtual machines."""
