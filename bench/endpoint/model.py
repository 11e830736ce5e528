"""Makes the random model that `bench/endpoint/run` has served: python bench/endpoint/model.py DIR

A Qwen3-style Hugging Face directory of 700,000 parameters with a byte-level BPE tokenizer and a chat template.
"""

import sys
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import make_models  # noqa: E402
import rows  # noqa: E402

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def main():
    folder = Path(sys.argv[1])
    texts = [row["prompt"] + row["completion"] for row in rows.generated(2000)]
    words = make_models.tokenizer(texts, 1024)
    words.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = Qwen3Config(
        hidden_size=128, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=32, intermediate_size=384,
        vocab_size=len(words), max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )
    model = Qwen3ForCausalLM(config).float()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters, tokenizer of {len(words):,}")


if __name__ == "__main__":
    main()
