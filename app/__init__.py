"""Chairtime: bookings and WhatsApp reminders for barbershops."""

import gc

# What a program loads stays. By default the collector looks at what is new every 700 objects, and
# through all of it every 70,000: a fifth of the time of each start.
gc.set_threshold(50_000, 20, 50)
