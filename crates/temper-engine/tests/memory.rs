//! The memory that is foreseen against what an allocator counts, for whole training steps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use temper_engine::{
    AdamW, AdamWConfig, Footprint, Frozen, Grads, LoraConfig, Model, ModelConfig, Moments, Packed, Precision,
    Projection, TokenGrads,
};

/// Counts the bytes that are held, and the most that were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One measurement at a time.
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Case {
    config: ModelConfig,
    precision: Precision,
    frozen: Option<Frozen>,
    lora: Option<LoraConfig>,
    moments: Moments,
    checkpointing: bool,
    sequences: usize,
    length: usize,
}

impl Case {
    /// Foreseen and counted bytes of a step with one batch.
    fn bytes(&self) -> (usize, usize) {
        // New threads, so that scratch of earlier cases is gone.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let counted = pool.install(|| self.counted());
        drop(pool);
        let foreseen = Footprint {
            config: &self.config,
            precision: self.precision,
            frozen: self.frozen,
            lora: self.lora.as_ref(),
            trained: Some(self.moments),
            checkpointing: self.checkpointing,
            tokens: self.sequences * self.length,
            longest: self.length,
            rows: self.sequences * (self.length - 1),
            threads: 2,
        };
        (foreseen.memory().total(), counted)
    }

    fn counted(&self) -> usize {
        let before = HELD.load(Ordering::Relaxed);
        let mut model = Model::random(self.config.clone(), 1);
        model.set_precision(self.precision);
        model.set_checkpointing(self.checkpointing);
        if let Some(lora) = &self.lora {
            model.add_adapter(lora.clone(), 1);
        }
        self.frozen.into_iter().for_each(|frozen| model.freeze(frozen));
        let mut adam = AdamW::new(&model, AdamWConfig { moments: self.moments, ..AdamWConfig::default() });
        let mut grads = Grads::zeros(&model);
        let ids: Vec<u32> = (0..self.length as u32).map(|i| i % 50).collect();
        let batch = Packed::new(&vec![ids; self.sequences]);
        let select: Vec<bool> = (0..batch.len()).map(|i| !i.is_multiple_of(self.length)).collect();
        // What a model takes while it is frozen does not count.
        PEAK.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
        for _ in 0..2 {
            let ones = || TokenGrads { logprobs: vec![-1.0; batch.len()], entropy: None };
            model.backprop(&batch, 1.0, &select, &mut grads, |_| ones());
            adam.step(&mut model, &grads, 1e-3, Some(1.0)).unwrap();
        }
        PEAK.load(Ordering::Relaxed) - before
    }
}

fn lora(targets: &[Projection]) -> Option<LoraConfig> {
    Some(LoraConfig { r: 8, alpha: 16.0, rslora: false, targets: targets.to_vec() })
}

#[test]
fn what_is_foreseen_is_what_is_taken() {
    let _turn = TURN.lock().unwrap();
    let small = || ModelConfig::small(2000, 128, 4, 4, 2, 384);
    let plain = || Case {
        config: small(),
        precision: Precision::F32,
        frozen: None,
        lora: None,
        moments: Moments::F32,
        checkpointing: false,
        sequences: 8,
        length: 128,
    };
    let wide = ModelConfig::small(16_000, 256, 3, 8, 2, 700);
    let cases = [
        plain(),
        Case { checkpointing: true, ..plain() },
        Case { precision: Precision::Bf16, moments: Moments::EightBit, ..plain() },
        Case { lora: lora(&Projection::ALL), ..plain() },
        Case {
            lora: lora(&[Projection::Q, Projection::V]),
            frozen: Some(Frozen::Nf4),
            precision: Precision::Bf16,
            checkpointing: true,
            ..plain()
        },
        Case { lora: lora(&Projection::ALL), frozen: Some(Frozen::Int8), config: wide.clone(), ..plain() },
        Case { config: wide, sequences: 1, length: 1024, precision: Precision::Bf16, ..plain() },
    ];
    for (i, case) in cases.iter().enumerate() {
        let (foreseen, counted) = case.bytes();
        let ratio = foreseen as f64 / counted as f64;
        assert!((0.87..1.15).contains(&ratio), "case {i}: foreseen {foreseen}, counted {counted}: {ratio:.3}");
        println!("case {i}: {foreseen} / {counted} = {ratio:.3}");
    }
}

/// What [`Model::reserve`] takes is what a step then uses: only results, scratch of threads and copies of a block of rows are
/// left to take.
#[test]
fn a_reserved_batch_takes_little_more() {
    let _turn = TURN.lock().unwrap();
    let config = ModelConfig::small(2000, 128, 6, 4, 2, 384);
    let batch = Packed::new(&vec![vec![7; 128]; 24]);
    let select: Vec<bool> = (0..batch.len()).map(|i| !i.is_multiple_of(128)).collect();
    let rows = select.iter().filter(|selected| **selected).count();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let (reserved, more) = pool.install(|| {
        let model = Model::random(config, 1);
        let mut grads = Grads::zeros(&model);
        let before = HELD.load(Ordering::Relaxed);
        model.reserve(&batch, rows, true);
        let held = HELD.load(Ordering::Relaxed);
        PEAK.store(held, Ordering::Relaxed);
        let ones = TokenGrads { logprobs: vec![-1.0; batch.len()], entropy: None };
        model.backprop(&batch, 1.0, &select, &mut grads, |_| ones);
        (held - before, PEAK.load(Ordering::Relaxed) - held)
    });
    assert!(more < reserved / 5, "{more} bytes more than {reserved}");
}
