"""What the peers' scripts share: arguments, timing, and the one JSON line that each prints."""

import argparse
import json
import os
import resource
import statistics
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def arguments(description, settings, **sizes):
    """`--model`, `--setting`, `--seconds`, `--warmup` and one flag for each size, with its default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True, help="Hugging Face directory")
    parser.add_argument("--setting", required=True, choices=list(settings))
    parser.add_argument("--seconds", type=float, default=10.0, help="time that the measured repetitions take together")
    for name, default in sizes.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    return parser.parse_args()


def threads():
    """As many threads as the process may use, set for torch and returned."""
    import torch

    count = len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count


def repeat(one, seconds, warmup=2, fewest=3, most=100):
    """Seconds of each call of `one`: `warmup` calls that do not count, then as many as fit into `seconds`."""
    for _ in range(warmup):
        started = time.perf_counter()
        one()
        last = time.perf_counter() - started
    times = []
    for _ in range(max(fewest, min(most, round(seconds / max(last, 1e-9))))):
        started = time.perf_counter()
        one()
        times.append(time.perf_counter() - started)
        if len(times) >= fewest and sum(times) > seconds:
            break
    return times


def peak_rss_bytes():
    """Peak resident set size of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def spread(values):
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def emit(work, setting, times, **more):
    """Prints the result line."""
    line = {"work": work, "setting": setting, **more, "peak_rss_bytes": peak_rss_bytes(), "repeats": len(times), "seconds": spread(times)}
    print(json.dumps(line), flush=True)
