"""Bookings: a customer, a service, a barber and a time."""
