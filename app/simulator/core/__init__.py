"""Twilio's WhatsApp without HTTP, without pages and without a memory of its own.

What it takes and refuses (`rules`), what it answers (`resources`, `templates`, `routes`) and what
it calls us with (`webhooks`), after its published specification. The simulator stands on this with
a file that all web processes share, the tests' fake with a ledger in its own process. It knows
nothing of our client: what that is tested against is not what it is made of.
"""
