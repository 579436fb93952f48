"""Inspection: from the native libraries of a wheel to what the wheel needs, with the evidence."""
