"""daily-draw/v1: what strangers replay. Imports nothing of the house, nor Flask or SQLAlchemy."""
