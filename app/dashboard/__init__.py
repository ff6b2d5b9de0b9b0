"""The pages: a folder for each, and what surrounds them all."""
