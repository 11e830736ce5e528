#!/usr/bin/env python3
"""Chat rows and a tokenizer for them, for the benchmark of `temper data pack`.

    python bench/data/make_rows.py DIR --mb 1000 [--seed 1]

writes DIR/rows.jsonl, about so many megabytes of `{"messages": [...]}`, and DIR/tokenizer, a Hugging Face directory: byte-level BPE
with 32,768 ids, trained on the first rows, split by the regular expression of Qwen2, with a ChatML template. The text is made of words
that are drawn from a fixed vocabulary with Zipf's frequencies, with numbers, code and a tenth of Chinese; nothing is downloaded,
and the same arguments give the same bytes.
"""

import argparse
import json
import random
from bisect import bisect
from itertools import accumulate
from pathlib import Path

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ONSETS = "b c d f g h j k l m n p r s t v w br ch cl cr dr fl gr pl pr sh sl sp st str th tr wh".split()
VOWELS = "a e i o u ai ea ee ie oo ou".split()
ENDS = ["", "", "", "n", "r", "s", "t", "l", "d", "m", "ck", "nd", "ng", "st", "rt"]
SUFFIXES = ["", "", "", "", "s", "ed", "ing", "er", "ly", "tion", "ment", "ness", "able"]
COMMON = (
    "the of and to in a is that for it as was with be by on not he this are or his from at which but have an had they you "
    "were there one all we can her has if will so no would more what about when up out them then she many some these into"
).split()


class Words:
    """Words with Zipf's frequencies."""

    def __init__(self, words, exponent=1.0):
        self.words = words
        self.sums = list(accumulate((rank + 2.7) ** -exponent for rank in range(len(words))))

    def draw(self, rng):
        return self.words[bisect(self.sums, rng.random() * self.sums[-1])]


def english(rng, count=40_000):
    words = dict.fromkeys(COMMON)
    while len(words) < count:
        syllables = rng.choice([1, 1, 2, 2, 2, 3])
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(ENDS) for _ in range(syllables))
        words[word + rng.choice(SUFFIXES)] = None
    return Words(list(words))


def chinese(rng, count=8_000):
    signs = [chr(code) for code in rng.sample(range(0x4E00, 0x8FFF), 2_500)]
    words = dict.fromkeys(signs[:300])
    while len(words) < count:
        words["".join(rng.choice(signs) for _ in range(rng.choice([1, 2, 2, 2, 3])))] = None
    return Words(list(words))


def sentence(rng, words):
    kind = rng.random()
    count = max(3, int(rng.gauss(16, 7)))
    said = [words.draw(rng) for _ in range(count)]
    if kind < 0.12:
        said[rng.randrange(count)] = str(rng.randrange(10 ** rng.randrange(1, 6)))
    if kind > 0.9:
        said[count // 2] = f"{said[count // 2]},"
    if kind > 0.97:
        said[-1] = f"`{said[-1]}_{said[0]}({rng.randrange(100)})`"
    text = " ".join(said)
    return text[0].upper() + text[1:] + rng.choice([".", ".", ".", ".", "?", "!"])


def clause(rng, words):
    text = "".join(words.draw(rng) for _ in range(max(2, int(rng.gauss(9, 4)))))
    return text + rng.choice(["，", "。", "。", "；"])


def text(rng, length, words, say, between):
    parts, size = [], 0
    while size < length:
        part = say(rng, words)
        parts.append(part)
        size += len(part.encode())
        if rng.random() < 0.15:
            parts.append("\n\n" if rng.random() < 0.5 else "\n- ")
        else:
            parts.append(between)
    return "".join(parts[:-1])


def rows(seed):
    rng = random.Random(seed)
    latin, han = english(rng), chinese(rng)
    while True:
        words, say, between = (han, clause, "") if rng.random() < 0.1 else (latin, sentence, " ")
        turns = []
        if rng.random() < 0.2:
            turns.append({"role": "system", "content": text(rng, 120, words, say, between)})
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            question = int(rng.lognormvariate(5.2, 0.8))
            answer = min(int(rng.lognormvariate(6.6, 0.9)), 20_000)
            turns.append({"role": "user", "content": text(rng, question, words, say, between)})
            turns.append({"role": "assistant", "content": text(rng, answer, words, say, between)})
        yield {"messages": turns}


def train(file, folder):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    def texts():
        with open(file, encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number == 8_000:
                    break
                yield from (turn["content"] for turn in json.loads(line)["messages"])

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=32_768, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": TEMPLATE,
        "model_max_length": 1_000_000,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--mb", type=int, default=1000, help="size of the file in megabytes")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    file = args.dir / "rows.jsonl"
    size = count = 0
    with open(file, "w", encoding="utf-8") as out:
        for row in rows(args.seed):
            line = json.dumps(row, ensure_ascii=False) + "\n"
            out.write(line)
            size += len(line.encode())
            count += 1
            if size >= args.mb * 1_000_000:
                break
    train(file, args.dir / "tokenizer")
    print(json.dumps({"rows": count, "bytes": size, "mean": size / count}))


if __name__ == "__main__":
    main()
