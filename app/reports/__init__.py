"""What the shop's weeks came to: bookings, no-shows, takings, how full they were, messages."""
