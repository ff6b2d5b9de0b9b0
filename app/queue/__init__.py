"""The queue: Huey on Redis or Valkey, its figures, and the pages that show them."""
