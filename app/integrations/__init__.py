"""Other programs: what they are told of, and the calendars that they read."""
