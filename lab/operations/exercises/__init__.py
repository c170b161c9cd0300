"""Exercises that run in a lab: started, checked, handed in, marked."""
