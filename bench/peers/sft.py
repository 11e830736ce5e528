"""TRL's `SFTTrainer` on prompt-completion rows, end to end: real (not padding) tokens per second.

    python bench/peers/sft.py --model DIR --rows rows.jsonl --setting defaults [--steps 40]

The rows are tokenised before the clock starts. The clock runs from the end of the warm-up steps to the end of the last one and
includes the loading of batches, the optimiser and logging, not the saving of checkpoints.

Settings:
    defaults        `SFTConfig` as it is (batches of 8 rows, gradient checkpointing, bf16 autocast), on the CPU
    f32             the same in f32
    tuned           bf16, no gradient checkpointing, batches of 16 rows of similar length, fused AdamW
    tuned-32        the same, batches of 32 rows
    packed          bf16, no gradient checkpointing, rows packed into sequences of 1,024 ("wrapped"), batches of 4, fused AdamW
"""

import json
import tempfile
import time

import common

TUNED = dict(gradient_checkpointing=False, bf16=True, optim="adamw_torch_fused")
SETTINGS = {
    "defaults": {},
    "f32": dict(bf16=False),
    "tuned": dict(**TUNED, per_device_train_batch_size=16, train_sampling_strategy="group_by_length"),
    "tuned-32": dict(**TUNED, per_device_train_batch_size=32, train_sampling_strategy="group_by_length"),
    "packed": dict(**TUNED, per_device_train_batch_size=4, packing=True, packing_strategy="wrapped", max_length=1024),
}


def main():
    args = common.arguments(__doc__.splitlines()[0], SETTINGS, rows="", steps=40, skip=4)
    threads = common.threads()
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    with open(args.rows, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    counted, marks = [0], []

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            marks.append((time.perf_counter(), counted[0]))

    class Counting(SFTTrainer):
        def compute_loss(self, model, inputs, *rest, **more):
            mask = inputs.get("attention_mask")
            counted[0] += int(mask.sum()) if mask is not None else inputs["input_ids"].numel()
            return super().compute_loss(model, inputs, *rest, **more)

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, max_steps=args.steps, learning_rate=1e-4, use_cpu=True, report_to=[], save_strategy="no",
            disable_tqdm=True, seed=1, **SETTINGS[args.setting],
        )
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
        trainer = Counting(
            model=model, args=config, train_dataset=Dataset.from_list(rows), callbacks=[Clock()],
            processing_class=AutoTokenizer.from_pretrained(args.model),
        )
        trainer.train()
    marks = marks[min(args.skip, len(marks) - 2) :]
    seconds, tokens = marks[-1][0] - marks[0][0], marks[-1][1] - marks[0][1]
    times = [b[0] - a[0] for a, b in zip(marks, marks[1:])]
    common.emit(
        "sft", args.setting, times, steps=args.steps, threads=threads, tokens=tokens, tokens_per_s=tokens / seconds,
        batch=config.per_device_train_batch_size,
    )


if __name__ == "__main__":
    main()
