"""A training step of a causal language model in PyTorch/transformers: forward, backward, clipping at 1, AdamW.

    python bench/peers/train.py --model DIR --setting f32 [--batch 16] [--seq 256] [--seconds 10]

Settings:
    f32             as transformers loads it, eager, AdamW as PyTorch chooses (foreach or for-loop)
    f32-compile     torch.compile, fused AdamW
    bf16            autocast to bf16, eager, fused AdamW
    bf16-compile    autocast to bf16, torch.compile, fused AdamW
"""

import contextlib

import common

SETTINGS = ["f32", "f32-compile", "bf16", "bf16-compile"]


def main():
    args = common.arguments(__doc__.splitlines()[0], SETTINGS, batch=16, seq=256)
    import torch
    from transformers import AutoModelForCausalLM

    threads = common.threads()
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).train()
    model.config.use_cache = False
    ids = torch.randint(0, model.config.vocab_size, (args.batch, args.seq), generator=torch.Generator().manual_seed(1))
    plain = args.setting == "f32"
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=None if plain else True)
    run = torch.compile(model) if args.setting.endswith("compile") else model

    def step():
        cast = torch.autocast("cpu", torch.bfloat16) if args.setting.startswith("bf16") else contextlib.nullcontext()
        with cast:
            loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss

    times = common.repeat(step, args.seconds, warmup=3)
    rate = args.batch * args.seq / common.spread(times)["median"]
    common.emit("train", args.setting, times, batch=args.batch, seq=args.seq, threads=threads, tokens_per_s=rate)


if __name__ == "__main__":
    main()
