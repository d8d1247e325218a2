"""Breaks the service on its real parts, and proves from outside that nothing was lost, doubled or shown to others."""
