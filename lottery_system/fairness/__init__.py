"""daily-draw/v1: the protocol and its verifier, as docs/protocol.md specifies it byte for byte.

Imports nothing else of the package, and third-party packages only to make or check signatures.

    merkle       trees: roots, frontiers, inclusion and consistency proofs
    tiles        the layout in which a log is stored and served
    records      ballot, genesis and freeze, as text
    note         signed notes and checkpoints
    cosignature  what witnesses add to a checkpoint; policy: whose are needed
    commitment   the secret chain, and the salted hash of a ballot's holder
    beacon       drand: which round, and whether its signature holds
    selection    from the seed to the winning ballots
    certificate  certificates and receipts, as JSON
    verify       all checks of a certificate, by name; its parts:
    checks       what a check is; listing: the list of ballots; receipts
    __main__     all of it as a program; bundle: as one file to download
    download     copies a log; folder: reads the copy
"""
