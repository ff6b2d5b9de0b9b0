"""Chairtime: bookings and WhatsApp reminders for barbershops."""
