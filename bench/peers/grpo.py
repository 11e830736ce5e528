"""TRL's `GRPOTrainer` without vLLM: seconds per step of 8 prompts with 8 completions each, sampled at temperature 1.

    python bench/peers/grpo.py --model DIR --rows rows.jsonl --setting defaults [--steps 6] [--new-tokens 128]

The reward is a cheap rule on the completion's text. A step is what lies between two of the trainer's optimiser steps: sampling,
rewards, advantages, loss, backward, optimiser.

Settings:
    defaults        `GRPOConfig` as it is (micro-batches of 8 completions, gradient checkpointing, bf16 autocast), on the CPU
    f32             f32, no gradient checkpointing, one micro-batch
    bf16            bf16 autocast, no gradient checkpointing, one micro-batch, fused AdamW
    bf16-weights    the same with the weights themselves in bf16
"""

import json
import tempfile
import time

import common

SETTINGS = {
    "defaults": {},
    "f32": dict(bf16=False, gradient_checkpointing=False),
    "bf16": dict(bf16=True, gradient_checkpointing=False, optim="adamw_torch_fused"),
    "bf16-weights": dict(bf16=True, gradient_checkpointing=False, optim="adamw_torch_fused"),
}


def parity(completions, **_):
    """1 where the completion's text has an even number of characters."""
    return [1.0 - len(text) % 2 for text in completions]


def main():
    args = common.arguments(__doc__.splitlines()[0], SETTINGS, rows="", steps=6, skip=1, batch=8, group=8, new_tokens=128)
    threads = common.threads()
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    with open(args.rows, encoding="utf-8") as file:
        prompts = [json.loads(line)["prompt"] for line in file]
    marks = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            marks.append(time.perf_counter())

    completions = args.batch * args.group
    micro = min(8, completions) if args.setting == "defaults" else completions
    dtype = torch.bfloat16 if args.setting == "bf16-weights" else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder, max_steps=args.steps, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, seed=1,
            num_generations=args.group, max_completion_length=args.new_tokens, temperature=1.0, use_vllm=False,
            per_device_train_batch_size=micro, gradient_accumulation_steps=completions // micro, **SETTINGS[args.setting],
        )
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype)
        trainer = GRPOTrainer(
            model=model, reward_funcs=parity, args=config, train_dataset=Dataset.from_dict({"prompt": prompts}),
            processing_class=AutoTokenizer.from_pretrained(args.model, padding_side="left"), callbacks=[Clock()],
        )
        trainer.train()
    log = [entry for entry in trainer.state.log_history if "completions/mean_length" in entry]
    marks = marks[min(args.skip, len(marks) - 2) :]
    times = [b - a for a, b in zip(marks, marks[1:])]
    common.emit(
        "grpo", args.setting, times, batch=args.batch, group=args.group, new_tokens=args.new_tokens, threads=threads,
        seconds_per_step=common.spread(times)["median"],
        mean_completion_length=sum(entry["completions/mean_length"] for entry in log) / max(len(log), 1),
    )


if __name__ == "__main__":
    main()
