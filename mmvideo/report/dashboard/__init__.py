"""All studies of a folder on one page that keeps up with them while they run. Nothing here writes."""
