//! How much memory a model takes: foreseen from its shape, and measured.

use crate::kernels::tile::PANEL;
use crate::model::layout;
use crate::par::{ROWS, block_rows_of};
use crate::simd::bf16_pairs;
use crate::{Frozen, KvCache, LoraConfig, ModelConfig, Moments, Precision, Projection, TensorInfo};

/// Bytes of an f32.
const FLOAT: usize = 4;

/// What a model is used for, as far as its memory depends on it.
#[derive(Clone, Debug)]
pub struct Footprint<'a> {
    /// Shape of the model.
    pub config: &'a ModelConfig,
    /// Number format of the products.
    pub precision: Precision,
    /// How the matrices are held if they are not trained; `None`: as f32 with packed copies.
    pub frozen: Option<Frozen>,
    /// The adapter, if it has one.
    pub lora: Option<&'a LoraConfig>,
    /// The optimiser's moments; `None` for a model that is not trained.
    pub trained: Option<Moments>,
    /// Whether the backward computes each layer's forward again.
    pub checkpointing: bool,
    /// Tokens of the largest batch, a shared prompt counted once.
    pub tokens: usize,
    /// Tokens of the longest sequence, with its prompt.
    pub longest: usize,
    /// Tokens of the largest batch whose log-probability is wanted.
    pub rows: usize,
    /// Threads.
    pub threads: usize,
}

/// Bytes by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Parameters in f32, and a frozen model's embedding.
    pub weights: usize,
    /// Weights packed for products: all there is of a frozen model's matrices, copies of others.
    pub packed: usize,
    /// Gradients.
    pub gradients: usize,
    /// The optimiser's moments.
    pub optimizer: usize,
    /// What the forward keeps for the backward.
    pub activations: usize,
    /// Other buffers: of the backward, of the head, of each thread.
    pub workspace: usize,
}

impl Memory {
    /// All together.
    pub fn total(&self) -> usize {
        let Memory { weights, packed, gradients, optimizer, activations, workspace } = *self;
        weights + packed + gradients + optimizer + activations + workspace
    }
}

impl Footprint<'_> {
    /// Bytes at the peak of a step (of a call of [`crate::Model::score`] if nothing is trained). Counts what the engine
    /// allocates, buffer by buffer; scratch of threads is an upper bound.
    pub fn memory(&self) -> Memory {
        let tensors = layout(self.config);
        let adapter = self.lora.map_or_else(Vec::new, |lora| adapter_tensors(self.config, lora));
        let elements = |tensors: &[TensorInfo]| tensors.iter().map(TensorInfo::elements).sum::<usize>();
        let kept = |t: &&TensorInfo| self.frozen.is_none() || t.shape.len() == 1 || t.name == "score.weight";
        let weights: usize = tensors.iter().filter(kept).map(TensorInfo::elements).sum();
        let trained = match (self.trained, self.lora, self.frozen) {
            (None, ..) | (_, None, Some(_)) => &[][..],
            (_, Some(_), _) => &adapter,
            (_, None, None) => &tensors,
        };
        Memory {
            weights: FLOAT * (weights + elements(&adapter)) + self.embedding(),
            packed: self.packed(),
            gradients: FLOAT * elements(trained),
            optimizer: self.trained.map_or(0, |moments| moments.bytes(trained)),
            activations: FLOAT * self.activations(),
            workspace: FLOAT * self.workspace(),
        }
    }

    /// Shapes `(out, in)` of a layer's packed matrices, with the projections in each.
    fn matrices(&self) -> [(usize, usize, &'static [Projection]); 4] {
        let c = self.config;
        let (d, f) = (c.hidden_size, c.intermediate_size);
        [
            (c.q_size() + 2 * c.kv_size(), d, &[Projection::Q, Projection::K, Projection::V]),
            (d, c.q_size(), &[Projection::O]),
            (2 * f, d, &[Projection::Gate, Projection::Up]),
            (d, f, &[Projection::Down]),
        ]
    }

    fn has_head(&self) -> bool {
        self.config.num_labels.is_none()
    }

    /// Embedding of a frozen model whose head is another matrix: bf16.
    fn embedding(&self) -> usize {
        let shared = self.config.tie_word_embeddings && self.has_head();
        if self.frozen.is_none() || shared {
            return 0;
        }
        panels(self.config.hidden_size, self.config.vocab_size, Held::Bf16, true)
    }

    fn packed(&self) -> usize {
        let c = self.config;
        let layers = match (self.frozen, self.precision) {
            (None, Precision::F32) => Held::Full,
            (None, Precision::Bf16) | (Some(Frozen::Bf16), _) => Held::Bf16,
            (Some(Frozen::Int8), _) => Held::Int8,
            (Some(Frozen::Nf4), _) => Held::Nf4,
        };
        let head = if self.frozen.is_some() { Held::Bf16 } else { layers };
        // A frozen model has its backward copy from the start; others make one at their first backward.
        let backward = self.trained.is_some() || self.frozen.is_some();
        let both = |out: usize, inputs: usize, held: Held| {
            panels(inputs, out, held, true) + if backward { panels(out, inputs, held, false) } else { 0 }
        };
        let layer: usize = self.matrices().iter().map(|(out, inputs, _)| both(*out, *inputs, layers)).sum();
        let head = if self.has_head() { both(c.vocab_size, c.hidden_size, head) } else { 0 };
        let adapter = |lora: &LoraConfig| {
            let part = |target: &Projection| {
                let (out, inputs) = target.shape(c);
                let full = |k: usize, n: usize| panels(k, n, Held::Full, true);
                full(inputs, lora.r) + full(lora.r, out) + full(lora.r, inputs) + full(out, lora.r)
            };
            lora.targets.iter().map(part).sum::<usize>()
        };
        c.num_layers * (layer + self.lora.map_or(0, adapter)) + head
    }

    /// Numbers that the forward writes, as [`crate::workspace::Workspace::prepare`] makes room for them.
    fn activations(&self) -> usize {
        let c = self.config;
        let (d, q, f, t) = (c.hidden_size, c.q_size(), c.intermediate_size, self.tokens);
        let (width, heads) = (q + 2 * c.kv_size(), c.num_heads + c.num_kv_heads);
        let norm = if c.qk_norm { width + heads } else { 0 };
        let layer = 2 + norm + width + q + c.num_heads + d + 2 * f;
        let backward = self.trained.is_some();
        let streams = if backward { c.num_layers + 1 } else { 2 };
        let layers = if backward && !self.checkpointing { c.num_layers } else { 1 };
        t * (streams * d + layers * layer)
    }

    /// All other numbers.
    fn workspace(&self) -> usize {
        let c = self.config;
        let (d, q, f, t) = (c.hidden_size, c.q_size(), c.intermediate_size, self.tokens);
        let width = q + 2 * c.kv_size();
        let backward = self.trained.is_some();
        // Rows of the head, their inverse norms, and what each token's results take.
        let mut sum = self.rows * (2 * d + 1 + 8) + 8 * t;
        if backward {
            sum += t * (2 * d + q + width) + self.rows * d;
            sum += self.operands() + self.head();
        }
        sum + self.longest.next_power_of_two().max(256) * c.head_dim + self.threads * self.scratch(f, d, width)
    }

    /// Copies of a block of rows for the gradients of weights, or of adapters.
    fn operands(&self) -> usize {
        let rows = block_rows_of(self.threads).min(self.tokens);
        let matrix = |(out, inputs, projections): &(usize, usize, &[Projection])| match self.lora {
            None => columns(*out, 12, rows, self.precision) + columns(*inputs, PANEL, rows, self.precision),
            Some(lora) => {
                let parts: Vec<_> = projections.iter().filter(|p| lora.targets.contains(p)).collect();
                let full = |n: usize, width: usize| columns(n, width, rows, Precision::F32);
                let part = |p: &&Projection| full(p.shape(self.config).0, 12) + full(lora.r, PANEL) + full(lora.r, 12);
                let x = if parts.is_empty() { 0 } else { full(*inputs, PANEL) };
                x + parts.iter().map(part).sum::<usize>()
            }
        };
        self.matrices().iter().map(matrix).sum()
    }

    /// Kept logits and copies of a block of rows.
    fn head(&self) -> usize {
        if !self.has_head() {
            return 0;
        }
        let vocab = self.config.vocab_size;
        let kept = crate::ops::head::kept_rows(self.rows, vocab) * vocab;
        let block = crate::ops::head::block_rows(vocab, self.threads).min(self.rows);
        kept + columns(vocab, 12, block, self.precision)
            + columns(self.config.hidden_size, PANEL, block, self.precision)
    }

    /// Scratch of one thread: the largest phase of a layer, attention over the longest sequence, and logits of a chunk.
    fn scratch(&self, f: usize, d: usize, width: usize) -> usize {
        let c = self.config;
        let (dim, padded) = (c.head_dim, c.head_dim.next_multiple_of(16));
        let (group, len) = (c.num_heads / c.num_kv_heads, self.longest);
        let rows = ROWS.min(self.tokens.max(1));
        let row_wise = rows * if self.trained.is_some() { 4 * f + d } else { f + d };
        // Products of pairs and of rounded numbers copy their rows.
        let copies =
            if self.precision == Precision::Bf16 || self.frozen.is_some() { rows * width.max(2 * f) } else { 0 };
        let queries = 24.max(group);
        let keys = len.next_multiple_of(16) * dim;
        let attention = if self.trained.is_some() {
            2 * keys + 3 * len * padded + queries * (3 * padded + 2 * len + 2)
        } else {
            keys + len * padded + queries * (2 * padded + len + 2)
        };
        let logits = crate::ops::head::chunk_rows(c.vocab_size) * c.vocab_size;
        // Logits that are kept need no scratch.
        let kept = if self.trained.is_some() { crate::ops::head::kept_rows(self.rows, c.vocab_size) } else { 0 };
        let logits = if self.has_head() && self.rows > kept { logits } else { 0 };
        row_wise.max(attention).max(logits) + copies
    }
}

/// Bytes of the key-value caches of sampling and of what a turn takes: prompts of at most `prompt` tokens, at most `new` new
/// ones each, `completions` in all, on `threads` threads.
pub fn sampling_bytes(
    config: &ModelConfig,
    precision: Precision,
    (prompt, new): (usize, usize),
    completions: usize,
    threads: usize,
) -> usize {
    let pairs = precision == Precision::Bf16 && bf16_pairs();
    let (slots, workers) = crate::sample::width(config, pairs, prompt, new, completions, threads);
    let positions = (prompt + new).min(config.max_position_embeddings) + 16;
    let sequence = KvCache::<f32>::bytes_per_position(config, pairs) * positions;
    let turn = FLOAT * (config.vocab_size + 4 * (config.hidden_size + config.intermediate_size));
    workers * (slots * (sequence + turn) + sequence + FLOAT * config.vocab_size)
}

/// How the numbers of a packed weight are held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Full,
    Bf16,
    Int8,
    Nf4,
}

/// Bytes of a packed weight `[k, n]`.
fn panels(k: usize, n: usize, held: Held, forward: bool) -> usize {
    let columns = n.next_multiple_of(PANEL);
    let scales = if forward { k.div_ceil(64) * columns } else { columns / PANEL * k };
    match held {
        Held::Full => FLOAT * columns * k,
        Held::Bf16 => 4 * columns * k.div_ceil(2),
        Held::Int8 => columns * k + 4 * scales,
        Held::Nf4 => columns / 2 * k + 4 * scales,
    }
}

/// Words of a block of rows in groups of columns.
fn columns(n: usize, width: usize, rows: usize, precision: Precision) -> usize {
    let pairs = precision == Precision::Bf16 && bf16_pairs();
    n.next_multiple_of(width) * if pairs { rows.div_ceil(2) } else { rows }
}

/// Names and shapes of an adapter's tensors.
fn adapter_tensors(config: &ModelConfig, lora: &LoraConfig) -> Vec<TensorInfo> {
    let mut tensors: Vec<TensorInfo> = Vec::new();
    let mut add = |shape: Vec<usize>| {
        let start = tensors.last().map_or(0, |t| t.range.end);
        let end = start + shape.iter().product::<usize>();
        tensors.push(TensorInfo { name: String::new(), shape, range: start..end });
    };
    for _ in 0..config.num_layers {
        for target in &lora.targets {
            let (out, inputs) = target.shape(config);
            add(vec![lora.r, inputs]);
            add(vec![out, lora.r]);
        }
    }
    if let Some(labels) = config.num_labels {
        add(vec![labels, config.hidden_size]);
    }
    tensors
}

/// Bytes from which a buffer is worth huge pages.
const HUGE: usize = 4 << 20;

/// Asks the system to back a large buffer, best before its first use, with huge pages: products then miss the
/// translation of addresses far less often. Without effect where the system has none.
pub(crate) fn huge_pages<T>(buffer: &[T]) {
    let bytes = size_of_val(buffer);
    if bytes < HUGE {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        let page = 2 << 20;
        let start = (buffer.as_ptr() as usize).next_multiple_of(page);
        let end = (buffer.as_ptr() as usize + bytes) / page * page;
        if end > start {
            // SAFETY: whole pages inside the buffer; the advice changes nothing but how they are backed. If it fails they
            // stay as they are.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
        }
    }
}

/// Gives the memory of numbers that nobody reads again back to the system; afterwards they are 0 or unchanged.
pub(crate) fn give_back<F: crate::Real>(numbers: &mut [F]) {
    #[cfg(target_os = "linux")]
    {
        let page = 4096;
        let start = (numbers.as_ptr() as usize).next_multiple_of(page);
        let end = (numbers.as_ptr() as usize + size_of_val(numbers)) / page * page;
        if size_of_val(numbers) >= HUGE && end > start {
            // SAFETY: whole pages inside a slice that is ours alone; they read as zeros afterwards, which every number may be.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = numbers;
}

/// Peak resident set size of this process in bytes (`VmHWM` of `/proc/self/status`, else `getrusage`); 0 if unknown.
pub fn peak_memory_bytes() -> u64 {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:"))
        && let Some(kib) = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok())
    {
        return kib * 1024;
    }
    rusage_peak()
}

#[cfg(unix)]
fn rusage_peak() -> u64 {
    // SAFETY: `getrusage` fills the zeroed struct that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &mut usage) != 0 {
            return 0;
        }
        usage
    };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    usage.ru_maxrss as u64 * unit
}

#[cfg(not(unix))]
fn rusage_peak() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdamW, AdamWConfig, Grads, Model};

    fn footprint<'a>(config: &'a ModelConfig, precision: Precision) -> Footprint<'a> {
        Footprint {
            config,
            precision,
            frozen: None,
            lora: None,
            trained: Some(Moments::F32),
            checkpointing: false,
            tokens: 100,
            longest: 50,
            rows: 90,
            threads: 2,
        }
    }

    /// Weights, packed copies, gradients and moments are known to the byte.
    #[test]
    fn what_a_model_holds_is_exact() {
        let mut config = ModelConfig::small(70, 48, 2, 3, 1, 100);
        let lora = LoraConfig { r: 5, alpha: 8.0, rslora: false, targets: vec![Projection::Q, Projection::Down] };
        for tied in [false, true] {
            config.tie_word_embeddings = tied;
            for frozen in [None, Some(Frozen::Bf16), Some(Frozen::Int8), Some(Frozen::Nf4)] {
                for precision in [Precision::F32, Precision::Bf16] {
                    let mut model = Model::random(config.clone(), 1);
                    model.set_precision(precision);
                    model.add_adapter(lora.clone(), 2);
                    frozen.into_iter().for_each(|frozen| model.freeze(frozen));
                    let memory = Footprint { frozen, lora: Some(&lora), ..footprint(&config, precision) }.memory();
                    let embedding = model.embedding.as_ref().map_or(0, |panels| panels.bytes());
                    assert_eq!(memory.weights, 4 * (model.params().len() + model.trainable().len()) + embedding);
                    let parts: usize = (0..2).map(|i| model.parts(i).bytes()).sum();
                    let packed = model.forward_panels().bytes() + model.backward_panels().bytes() + parts;
                    assert_eq!(memory.packed, packed, "{frozen:?} {precision}");
                    assert_eq!(memory.gradients, 4 * Grads::zeros(&model).as_slice().len());
                    assert_eq!(memory.optimizer, 8 * model.trainable().len());
                }
            }
        }
        let model = Model::random(config.clone(), 1);
        let moments = Moments::EightBit;
        let _ = AdamW::new(&model, AdamWConfig { moments, ..AdamWConfig::default() });
        let memory = Footprint { trained: Some(moments), ..footprint(&config, Precision::F32) }.memory();
        assert_eq!(memory.optimizer, moments.bytes(model.tensors()));
    }

    #[test]
    fn checkpointing_and_fewer_tokens_take_less() {
        let config = ModelConfig::small(70, 48, 4, 3, 1, 100);
        let plain = footprint(&config, Precision::F32);
        let less = Footprint { checkpointing: true, ..plain.clone() }.memory();
        assert!(less.activations < plain.memory().activations && less.weights == plain.memory().weights);
        assert!(Footprint { tokens: 50, ..plain.clone() }.memory().total() < plain.memory().total());
        let scored = Footprint { trained: None, ..plain.clone() }.memory();
        assert_eq!((scored.gradients, scored.optimizer), (0, 0));
        assert!(scored.packed < plain.memory().packed);
    }

    #[test]
    fn peak_is_plausible() {
        assert!(super::peak_memory_bytes() > 100_000);
    }
}
