"""Who may do what: staff accounts, API tokens, and the audit log of what was done."""
