"""The life of a message: the only package that writes a message's state.

Each transition of design.md §4 is one function: an UPDATE that names the states it may start from,
and an answer whether it won. Who hits no row does nothing: another was first.

`plans` makes, cancels and skips messages, `claims` takes one in hand up to its POST, `outcomes`
records what came of it. `compare_and_set` is what they are made of.
"""
