"""The shop itself: its name, time zone, services, barbers, reminder policy and texts."""
