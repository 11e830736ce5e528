//! Training, scoring and sampling speed on random models: `cargo run --release -p temper-engine --example speed [small|T]`.

use std::time::Instant;

use temper_engine::{
    AdamW, AdamWConfig, Grads, Key, Model, ModelConfig, Packed, Request, SamplingParams, TokenGrads, generate,
};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let shapes = [
        ("small", ModelConfig::small(1024, 128, 4, 4, 2, 384), 128),
        ("T", ModelConfig::small(4096, 256, 6, 4, 2, 768), 256),
    ];
    for (name, config, length) in shapes {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            measure(name, config, length);
        }
    }
}

/// Processor time of this process, which other processes disturb less than the clock.
fn cpu_seconds() -> f64 {
    // SAFETY: `clock_gettime` fills the struct that it is given.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    }
}

fn measure(name: &str, config: ModelConfig, length: usize) {
    let tokens = 4096;
    let mut model = Model::<f32>::random(config, 0);
    if std::env::var("BF16").is_ok() {
        model.set_precision(temper_engine::Precision::Bf16);
    }
    if std::env::var("BF16").is_ok() {
        model.set_precision(temper_engine::Precision::Bf16);
    }
    let vocab = model.config().vocab_size as u64;
    let key = Key::new(1);
    let sequences: Vec<Vec<u32>> = (0..tokens / length)
        .map(|i| (0..length).map(|t| (key.fold(i as u64).fold(t as u64).bits() % vocab) as u32).collect())
        .collect();
    let batch = Packed::new(&sequences);
    let select = vec![true; batch.len()];
    let mut grads = Grads::zeros(&model);
    let mut optimiser = AdamW::new(&model, AdamWConfig::default());
    let (mut train, mut step, mut score, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..20 {
        let (start, busy) = (Instant::now(), cpu_seconds());
        grads.zero();
        model.backprop(&batch, 1.0, &select, &mut grads, |stats| TokenGrads {
            logprobs: vec![-1.0 / stats.logprobs.len() as f32; stats.logprobs.len()],
            entropy: None,
        });
        let middle = Instant::now();
        if let Err(error) = optimiser.step(&mut model, &grads, 1e-4, Some(1.0)) {
            eprintln!("{error}");
        }
        step.push(middle.elapsed().as_secs_f64());
        train.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds() - busy);
        let start = Instant::now();
        if std::env::var("TRAIN").is_err() {
            model.score(&batch, 1.0, &select);
        }
        score.push(start.elapsed().as_secs_f64());
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (train, step, score, cpu) = (median(&mut train), median(&mut step), median(&mut score), median(&mut cpu));
    let (t, attended) = (batch.len(), batch.attended());
    println!(
        "{name}: {} parameters; train {:.0} tokens/s ({:.0} GFLOP/s, optimiser {:.1} of {:.1} ms; {:.1} ms of processor time); score {:.0} tokens/s ({:.0} GFLOP/s)",
        model.num_params(),
        t as f64 / train,
        model.config().train_flops(t, attended) / train * 1e-9,
        step * 1e3,
        train * 1e3,
        cpu * 1e3,
        t as f64 / score,
        model.config().forward_flops(t, attended) / score * 1e-9,
    );
    if std::env::var("TRAIN").is_err() {
        sample(name, &model);
    }
}

/// 64 completions of 128 tokens after prompts of 64, eight of each prompt.
fn sample(name: &str, model: &Model) {
    let vocab = model.config().vocab_size as u64;
    let key = Key::new(2);
    let requests: Vec<Request> = (0..8)
        .map(|i| Request {
            prompt: (0..64).map(|t| (key.fold(i).fold(t).bits() % vocab) as u32).collect(),
            keys: (0..8).map(|j| key.fold(i).fold_str("completion").fold(j)).collect(),
        })
        .collect();
    let params = SamplingParams { max_new_tokens: 128, ..SamplingParams::default() };
    let (mut clock, mut busy) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        if let Err(error) = generate(model, &requests, &params, &mut |_| true) {
            eprintln!("{error}");
        }
        clock = clock.min(start.elapsed().as_secs_f64());
        busy = busy.min(cpu_seconds() - cpu);
    }
    let tokens = 64.0 * 128.0;
    println!("{name}: sample {:.0} tokens/s ({:.1} ms of processor time)", tokens / clock, busy * 1e3);
}
