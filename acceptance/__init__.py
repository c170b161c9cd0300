"""The acceptance suite: judges a running lab from outside. It shares no code with what builds the lab."""
