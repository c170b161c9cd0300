"""The commands of a page, run as its reader would, and compared with what the page shows."""
