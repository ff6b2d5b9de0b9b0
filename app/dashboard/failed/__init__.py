"""Failed sends."""
