"""When reminders are due: the shop's policy, and the plan that follows from it."""
