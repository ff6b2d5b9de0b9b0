"""All tables, a file for each part. Read these first: they are the map of the whole."""
