"""Stand-ins: people, operators, databases, relays, networks and disks, as tests need them."""
