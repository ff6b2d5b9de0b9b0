"""What keeps a program from going on. Stands alone, as whoever raises it need import little."""


class Trouble(Exception):
    """Why a program cannot go on and what to do about it, in one line."""
