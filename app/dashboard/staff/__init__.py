"""Signing in, the first run, accounts, activity."""
