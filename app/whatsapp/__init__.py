"""WhatsApp by way of Twilio: sending, looking up, and reading what Twilio calls back with."""
