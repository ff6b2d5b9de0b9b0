"""What customers answer: their replies, what follows from them, and what staff write back."""
