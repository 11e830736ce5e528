"""Runs a TRL reward function as a scorer of Temper.

    python temper_reward.py MODULE:FUNCTION
    python temper_reward.py PATH/TO/FILE.py:FUNCTION

Reads one JSON object per line from standard input, a batch: `prompts`, `completions`, `completion_ids` and every column of the
data, each a list with one element per completion. Calls the function as TRL's GRPOTrainer does and writes one JSON object per
line: `{"rewards": [...], "extra": {...}}`, or `{"error": ...}` when the function raised. Before the first batch it writes
`{"ready": true}`, or `{"fatal": ...}` when the function cannot be loaded.

What the function prints goes to standard error. Needs Python 3.9 or newer and nothing beside it.
"""

import asyncio
import functools
import importlib
import importlib.util
import inspect
import json
import math
import os
import queue
import sys
import threading
import time
import traceback


class TrainerState:
    """Stands where TRL passes its trainer's state. A score may not depend on how far the training is."""

    def __getattr__(self, name):
        raise AttributeError(
            f"trainer_state.{name}: Temper passes no state of the trainer, because a score must not depend on the "
            "progress of the training"
        )


class Notes:
    """What the function reports through `log_extra` and `log_metric`, as columns of the batch."""

    def __init__(self, size):
        self.size = size
        self.columns = {}

    def log_extra(self, column, values):
        self.columns.setdefault(str(column), []).extend(plain(value) for value in values)

    def log_metric(self, name, value):
        self.columns[f"metric {name}"] = [plain(value)] * self.size


def plain(value):
    """The value as JSON has it; what JSON does not have, as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        try:
            return plain(value.item())
        except Exception:
            pass
    return str(value)


def load(target):
    """The function that `module:function` or `path.py:function` names."""
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise ValueError(f"`{target}` names no function; write `module:function` or `path/to/file.py:function`")
    if place.endswith(".py"):
        path = os.path.abspath(place)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no file {path}")
        sys.path.insert(0, os.path.dirname(path))
        module_name = os.path.splitext(os.path.basename(path))[0]
        spec = importlib.util.spec_from_file_location(module_name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(module_name, module)
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(place)
    function = module
    for part in name.split("."):
        function = getattr(function, part)
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"`{target}` is a {type(function).__name__}, not a function")
    return function


def is_async(function):
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))


def accepted(function, arguments):
    """The arguments that the function has a place for: all of them if it takes `**kwargs`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return arguments
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {key: value for key, value in arguments.items() if key in named}


def number(value):
    """A reward as JSON: a number, null for None, an error for anything else."""
    if value is None:
        return None
    if isinstance(value, (str, bytes)):
        return {"error": f"the function returned the text {value!r} as a reward, expected a number or None"}
    try:
        value = float(value)
    except (TypeError, ValueError):
        return {"error": f"the function returned a {type(value).__name__} as a reward, expected a number or None"}
    if not math.isfinite(value):
        return {"error": f"the function returned {value} as a reward, expected a finite number or None"}
    return value


def answer(function, batch):
    size = len(batch["completions"])
    notes = Notes(size)
    arguments = dict(batch)
    arguments.update(trainer_state=TrainerState(), log_extra=notes.log_extra, log_metric=notes.log_metric)
    arguments = accepted(function, arguments)
    try:
        if is_async(function):
            rewards = asyncio.run(function(**arguments))
        else:
            rewards = function(**arguments)
        rewards = list(rewards)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in the function too
        traceback.print_exc()
        return {"error": describe(error)}
    if len(rewards) != size:
        return {"error": f"the function returned {len(rewards)} rewards for {size} completions"}
    return {"rewards": [number(reward) for reward in rewards], "extra": notes.columns}


def describe(error):
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if frame.filename not in (__file__, "<string>") and "importlib" not in frame.filename]
    return f"{text} ({frames[-1].filename}:{frames[-1].lineno})" if frames else text


def read_lines(lines, source):
    """Puts the lines of standard input into a queue, and ends the process when Temper is gone."""
    parent = os.getppid()
    for line in source:
        lines.put(line)
    lines.put(None)
    while True:
        # At the end of the input the batch in work is still answered, unless nobody is there to read it.
        if os.getppid() != parent:
            os._exit(0)
        time.sleep(0.2)


def main():
    # The two pipes to Temper are kept apart from what the function may read and print.
    source = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = open(os.devnull, "r")
    sys.stdout = sys.stderr

    def write(value):
        sink.write(json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n")
        sink.flush()

    lines = queue.Queue()
    threading.Thread(target=read_lines, args=(lines, source), daemon=True).start()
    try:
        function = load(sys.argv[1] if len(sys.argv) > 1 else "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        traceback.print_exc()
        write({"fatal": describe(error)})
        os._exit(1)
    write({"ready": True})
    while (line := lines.get()) is not None:
        if line.strip():
            write(answer(function, json.loads(line)))


try:
    __file__
except NameError:
    __file__ = "<string>"
if __name__ == "__main__":
    main()
