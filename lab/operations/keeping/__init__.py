"""Labs and save points that are kept, and what users would lose."""
