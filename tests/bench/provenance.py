"""What every result file says of where it comes from."""

import datetime
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def processor():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")


def provenance():
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "date": datetime.date.today().isoformat(),
        "command": " ".join([os.path.basename(sys.argv[0]), *(os.path.basename(a) if "/" in a else a for a in sys.argv[1:])]),
        "commit": commit or "unknown",
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def write_result(path, document):
    """The document behind its provenance, if there is a path."""
    if path:
        with open(path, "w") as f:
            json.dump({**provenance(), **document}, f, indent=1)
            f.write("\n")
