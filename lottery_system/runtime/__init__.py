"""What knows greenlets, database drivers and processes."""
