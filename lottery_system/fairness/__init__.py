"""daily-draw/v1: what strangers replay, as docs/protocol.md has it byte for byte.

Imports nothing of the house and, until a signature is made or checked, nothing that pip brings.

    merkle       trees: roots, frontiers, inclusion and consistency proofs
    tiles        the layout in which a log is stored and served
    records      ballot, genesis and freeze, as text
    note         signed notes and checkpoints
    commitment   the secret chain, and what hides a ballot's holder
    beacon       drand: which round, and whether its signature holds
    selection    from the seed to the winning ballots
    certificate  certificates and receipts, as JSON
    verify       all checks of a certificate, each by its name; what it is made of:
    checks       what a check is; listing: the list of ballots; receipts: what they show
    __main__     all of it as a program; bundle: as one file to take away
    download     copies a log; folder: reads the copy
"""
