"""Customers and bookings out of another program's CSV, and both as CSV for another one."""
