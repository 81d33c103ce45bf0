#!/usr/bin/env python3
"""Verify the hashes and links of an audit trail in JSON lines.

This is a second opinion: it shares no code with the program that writes the trail, nor with
`audit-server verify`. The standard library is all it needs.

    verify_chain.py audit.log.2 audit.log.1 audit.log      (oldest first)

Prints each stream and the first break. Exits with 0 when the chain is intact, 1 when it is broken,
2 when a file can't be read.
"""

import hashlib
import json
import sys

SUFFIX = len(',"hash":"') + 64 + len('"}')


class Broken(Exception):
    pass


def unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Broken("a member is there twice")
    return members


def check(line, heads):
    """Check one line against the heads of the streams, and move the head of its stream on."""
    open_part, suffix = line[:-SUFFIX], line[-SUFFIX:]
    if not (suffix.startswith(b',"hash":"') and suffix.endswith(b'"}')):
        raise Broken("does not end in a hash")
    stated = suffix[len(b',"hash":"'):-len(b'"}')].decode("ascii", "replace")
    if hashlib.sha256(open_part + b"}").hexdigest() != stated:
        raise Broken("the bytes don't have the hash that they state")
    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=unique)
        stream, seq, prev_hash = record["stream"], record["seq"], record["prev_hash"]
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(f"not a record: {error}") from error
    if stream in heads:
        last_seq, last_hash = heads[stream]
        if seq != last_seq + 1:
            raise Broken(f"seq {seq} of {stream} after seq {last_seq}")
        if prev_hash != last_hash:
            raise Broken(f"prev_hash at seq {seq} of {stream} is not the hash of seq {last_seq}")
    elif (seq == 1) != (prev_hash == "0" * 64):
        raise Broken(f"{stream} begins at seq {seq} with prev_hash {prev_hash}")
    heads[stream] = (seq, stated)


def main(paths):
    heads = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        check(line.removesuffix(b"\n"), heads)
                    except Broken as broken:
                        print(f"BROKEN: {path} line {number}: {broken}")
                        return 1
        except OSError as error:
            print(f"could not read: {error}")
            return 2
    for stream, (seq, stated) in heads.items():
        print(f"{stream}:{seq}:{stated}")
    print("intact")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
