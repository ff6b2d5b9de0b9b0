"""The life of a message: the only package that writes a message's state.

Each transition of design.md §4 is one function. It is an UPDATE that names the states it may start
from. If that changes no row, another process was first: the function returns that it did not win,
and its caller does nothing.

`materialize` makes messages of plans, `plans` makes single ones, cancels and skips, `claims` takes
one in hand up to its POST, `outcomes` records what came of it. `compare_and_set` is what they are
made of.
"""
