"""The steps in which a new shop is set up, and what to do when it is."""
