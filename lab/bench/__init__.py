"""What a network mode costs: round trips between two ends, beside those between two nodes."""
