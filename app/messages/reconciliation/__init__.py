"""Finding out at Twilio what became of messages, when nobody has told us."""
