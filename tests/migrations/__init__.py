"""Every schema comes over to the newest."""
