"""A believable shop in every state, for trying out and for pictures."""
