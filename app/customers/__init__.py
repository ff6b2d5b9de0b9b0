"""Who the shop writes to: consent, opt-outs, and when somebody wrote last."""
