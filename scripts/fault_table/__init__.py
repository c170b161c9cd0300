"""Does the acceptance suite find each known mistake? Tried on a lab, kept on record, shown in tables."""
