"""Outgoing messages: their texts, their states, and how they reach the queue."""
