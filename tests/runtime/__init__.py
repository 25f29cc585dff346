"""Greenlets, drivers and queues."""
