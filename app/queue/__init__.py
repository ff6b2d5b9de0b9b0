"""The queue: Huey on Redis or Valkey, and what is known of both when they fail."""
