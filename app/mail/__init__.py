"""Mail to staff: written with what it is about, sent by a worker."""
