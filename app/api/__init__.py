"""The JSON door: one module a resource, and Twilio's webhooks."""
