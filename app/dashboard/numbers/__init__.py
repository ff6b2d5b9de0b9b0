"""The page of what the shop's weeks came to."""
