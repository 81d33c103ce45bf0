"""Checks hashes, links and numbers of JSON lines files, oldest first, with hashlib alone."""
import hashlib, json, re, sys
heads = {}
for path in sys.argv[1:]:
    for number, line in enumerate(open(path, encoding="utf-8", newline="\n"), 1):
        line = line.rstrip("\n")
        body = re.sub(r',"hash":"[0-9a-f]{64}"}$', "}", line)
        record = json.loads(line)
        stream, seq = record["stream"], record["seq"]
        if hashlib.sha256(body.encode()).hexdigest() != record["hash"]:
            sys.exit(f"{path}:{number}: hash differs")
        if stream in heads and (seq, record["prev_hash"]) != (heads[stream][0] + 1, heads[stream][1]):
            sys.exit(f"{path}:{number}: does not follow {heads[stream]}")
        if stream not in heads:
            print(f"{stream} starts at {seq}")
        heads[stream] = (seq, record["hash"])
print("intact", heads)
