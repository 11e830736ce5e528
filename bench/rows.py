"""The rows of the end-to-end works: GSM8K from `$TEMPER_DATA/gsm8k`, or generated sums where that is not set."""

import json
import os
import random
from pathlib import Path

NAMES = "Ada Ben Chloe Dev Emma Finn Grace Hugo Ines Jack Kira Liam Mona Noah Olga Paul Rosa Sam Tara Umar Vera Will Yara Zoe".split()
THINGS = "apples books cards coins eggs flowers kites lamps marbles notes pens plums ribbons shells stamps tiles toys".split()


def load(count=None):
    """`(rows, source)`: rows `{"prompt", "completion"}`, and where they come from."""
    folder = os.environ.get("TEMPER_DATA")
    if folder:
        file = Path(folder) / "gsm8k" / "train.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines[:count]]
        return [{"prompt": row["question"] + "\n", "completion": row["answer"]} for row in rows], "GSM8K"
    return generated(count or 7473), "generated sums"


def generated(count):
    """Worded sums with worked answers, about as long as GSM8K's rows."""
    draw = random.Random(0)
    rows = []
    for _ in range(count):
        name, thing = draw.choice(NAMES), draw.choice(THINGS)
        total = draw.randint(2, 90)
        question, answer = [f"{name} has {total} {thing}."], []
        for _ in range(draw.randint(2, 6)):
            other, change = draw.choice(NAMES), draw.randint(2, 60)
            if change < total and draw.random() < 0.5:
                question.append(f"{name} gives {change} of the {thing} to {other}.")
                answer.append(f"After {other} has taken some, there are {total}-{change} = <<{total}-{change}={total - change}>>{total - change} {thing}.")
                total -= change
            else:
                question.append(f"Then {other} brings {change} more {thing}, found in {draw.randint(2, 9)} days.")
                answer.append(f"With what {other} brings, {name} has {total}+{change} = <<{total}+{change}={total + change}>>{total + change} {thing}.")
                total += change
        question.append(f"How many {thing} does {name} have in the end?")
        rows.append({"prompt": " ".join(question) + "\n", "completion": "\n".join(answer) + f"\n#### {total}"})
    return rows
