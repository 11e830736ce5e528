"""`datasets`, `tokenizers` and TRL's packing on the rows of make_rows.py, as `temper data pack` does it; prints one JSON line.

    python bench/data/peer.py DIR --setting batched|rows --out FOLDER [--max-length 4096] [--procs 2]

`batched` renders and tokenises a thousand rows at a call and makes no mask, the fastest way there is; every token is a label. `rows`
does what TRL's SFTTrainer does with `assistant_only_loss=True`: row by row, with the mask of assistant tokens, then labels. Both
then pack best-fit with `trl.pack_dataset` and save Parquet.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("dir", type=Path)
parser.add_argument("--setting", choices=["batched", "rows"], required=True)
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--max-length", type=int, default=4096)
parser.add_argument("--procs", type=int, default=2)


def main():
    args = parser.parse_args()
    started = time.perf_counter()
    from datasets import disable_progress_bars, load_dataset
    from transformers import AutoTokenizer
    from trl import pack_dataset

    disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(args.dir / "tokenizer")
    imported = time.perf_counter()
    data = load_dataset("json", data_files=str(args.dir / "rows.jsonl"), split="train", cache_dir=str(args.out / "cache"))
    rows = len(data)
    loaded = time.perf_counter()

    def batched(batch):
        texts = tokenizer.apply_chat_template(batch["messages"], tokenize=False)
        ids = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return {"input_ids": ids, "labels": ids}

    def one(row):
        made = tokenizer.apply_chat_template(
            row["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids, masks = made["input_ids"], made["assistant_masks"]
        return {"input_ids": ids, "labels": [id if mask else -100 for id, mask in zip(ids, masks, strict=True)]}

    how = {"batched": True} if args.setting == "batched" else {}
    function = batched if args.setting == "batched" else one
    data = data.map(function, num_proc=args.procs, remove_columns=data.column_names, **how)
    tokenised = time.perf_counter()
    tokens = sum(len(ids) for batch in data.with_format("arrow").iter(1000) for ids in batch["input_ids"])
    learned = sum(
        int((batch["labels"].combine_chunks().flatten().to_numpy() != -100).sum())
        for batch in data.with_format("arrow").iter(1000)
    )
    counted = time.perf_counter()
    packed = pack_dataset(data, args.max_length, "bfd", {"num_proc": args.procs})
    packed.to_parquet(str(args.out / "train.parquet"))
    ended = time.perf_counter()
    kept = sum(sum(map(sum, batch["seq_lengths"])) for batch in packed.select_columns(["seq_lengths"]).iter(1000))
    # Counting is no part of the work.
    seconds = ended - started - (counted - tokenised)
    size = (args.dir / "rows.jsonl").stat().st_size
    print(json.dumps({
        "side": "datasets", "setting": args.setting, "rows": rows, "tokens": kept, "tokens_before_cut": tokens,
        "learned_before_cut": learned, "batches": len(packed), "fill_rate": kept / (len(packed) * args.max_length),
        "seconds": seconds, "rows_per_second": rows / seconds, "bytes_per_second": size / seconds,
        "parts": {
            "import": imported - started, "load": loaded - imported, "tokenise": tokenised - loaded,
            "pack_and_write": ended - counted,
        },
    }))


if __name__ == "__main__":
    main()
