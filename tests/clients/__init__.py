"""Clients that others' generators make of the API's description: `make clients`."""
