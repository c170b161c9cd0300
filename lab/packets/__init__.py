"""Seeing packets: captures in any network of a lab, and the way of one packet through all of them."""
