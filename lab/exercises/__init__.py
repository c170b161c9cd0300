"""Exercises of a course: what a teacher writes, what students get, which fault each of them gets."""
