"""The list of bookings, the page of one, and its form."""
