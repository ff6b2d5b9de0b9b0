"""The page of the waiting list."""
