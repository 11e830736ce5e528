"""Makes the random models that the benchmarks run on, and the rows of the end-to-end works.

    python bench/make_models.py WORK_DIR [--shape T] [--shape S] [--shape Q]

writes `WORK_DIR/T` and `WORK_DIR/S`, Qwen3-style Hugging Face directories (f32, tied head, context of 2,048) with a byte-level
BPE tokenizer of exactly the model's vocabulary that is trained here on the rows, and `WORK_DIR/rows.jsonl`. Q, only when asked for,
has the shape of Qwen2.5-0.5B (bf16) and a tokenizer of 4,096, so most of its embeddings are never used. Nothing is downloaded.
"""

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

import rows

SHAPES = {
    "T": dict(hidden_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, intermediate_size=768, vocab_size=4096),
    "S": dict(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4, intermediate_size=1536, vocab_size=8192),
    "Q": dict(hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, intermediate_size=4864, vocab_size=151936),
}
EOS, PAD = "<|endoftext|>", "<|pad|>"


def tokenizer(texts, size):
    """Byte-level BPE of exactly `size` tokens; where the texts give fewer, unused special tokens fill up."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[EOS, PAD], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(texts, trainer)
    bpe.add_special_tokens([f"<|unused{i}|>" for i in range(size - bpe.get_vocab_size())])
    assert bpe.get_vocab_size() == size, bpe.get_vocab_size()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=EOS, pad_token=PAD, model_max_length=2048)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("--shape", action="append", choices=SHAPES, help="may be repeated; by default T and S")
    args = parser.parse_args()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    data, source = rows.load()
    with open(args.work_dir / "rows.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in data)
    for name in args.shape or ["T", "S"]:
        words = tokenizer([row["prompt"] + row["completion"] for row in data], min(SHAPES[name]["vocab_size"], 4096 if name == "Q" else 8192))
        torch.manual_seed(0)
        common = dict(
            **SHAPES[name], max_position_embeddings=2048, tie_word_embeddings=True, rope_theta=10_000.0,
            bos_token_id=None, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        )
        if name == "Q":
            model = Qwen2ForCausalLM(Qwen2Config(**common)).bfloat16()
        else:
            model = Qwen3ForCausalLM(Qwen3Config(**common, head_dim=64)).float()
        model.save_pretrained(args.work_dir / name)
        words.save_pretrained(args.work_dir / name)
        print(f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters, tokenizer of {len(words):,} from {source}")


if __name__ == "__main__":
    main()
