"""Sampling with `transformers.generate`: distinct prompts in one batch, temperature 1, no stop token, prefill included.

    python bench/peers/generate.py --model DIR --setting f32 [--batch 32] [--seq 64] [--new-tokens 128] [--seconds 10]

Settings:
    f32             weights in f32, dynamic cache (the default)
    bf16            weights in bf16, dynamic cache
    bf16-static     weights in bf16, static cache, the decoding step compiled
"""

import common

SETTINGS = ["f32", "bf16", "bf16-static"]


def main():
    args = common.arguments(__doc__.splitlines()[0], SETTINGS, batch=32, seq=64, new_tokens=128)
    import torch
    from transformers import AutoModelForCausalLM, CompileConfig

    threads = common.threads()
    dtype = torch.bfloat16 if args.setting.startswith("bf16") else torch.float32
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
    pad = model.config.pad_token_id
    model.generation_config.eos_token_id = None
    ids = torch.randint(0, model.config.vocab_size, (args.batch, args.seq), generator=torch.Generator().manual_seed(1))
    more = {}
    if args.setting.endswith("static"):
        # `generate` compiles by itself on accelerators only; this is its switch for other devices.
        compiled = CompileConfig(mode="default", fullgraph=False)
        compiled._compile_all_devices = True
        more = dict(cache_implementation="static", compile_config=compiled)

    def sample():
        with torch.no_grad():
            out = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                max_new_tokens=args.new_tokens, pad_token_id=pad, **more,
            )
        assert out.shape == (args.batch, args.seq + args.new_tokens), out.shape

    times = common.repeat(sample, args.seconds, warmup=3 if more else 1)
    rate = args.batch * args.new_tokens / common.spread(times)["median"]
    common.emit(
        "decode", args.setting, times, batch=args.batch, seq=args.seq, new_tokens=args.new_tokens, threads=threads, tokens_per_s=rate
    )


if __name__ == "__main__":
    main()
