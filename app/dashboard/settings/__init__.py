"""All settings pages."""
