//! What this machine can do at most, measured: multiply-adds per second and bytes read from memory per second.
//!
//! Both are bounds that no kernel passes. The first loops over registers alone, so it knows neither caches nor memory; the
//! second streams through a buffer larger than the caches. A call takes a fraction of a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::Precision;
use crate::simd::{Level, level};

/// Times each measurement is taken; the best one counts.
const REPEATS: usize = 4;
/// How long one of them lasts.
const SPAN: Duration = Duration::from_millis(40);
/// Passes of a loop between two looks at the clock.
const PASSES: usize = 1 << 14;
/// Bytes that [`memory_bandwidth`] streams through.
const BUFFER_BYTES: usize = 256 << 20;

/// Floating point operations per second that all threads of rayon's pool reach together when they multiply and add in
/// registers, with the widest instructions that the engine uses for operands of this format on this CPU. A multiply-add is
/// two operations. A CPU without bf16 instructions has the same peak in both formats.
pub fn peak_flops(precision: Precision) -> f64 {
    let kernel = kernel(precision);
    best(|| rayon::broadcast(|_| rate(kernel)).iter().sum())
}

/// The instructions behind [`peak_flops`]: `avx512-bf16`, `avx512`, `avx2` or `portable`.
pub fn peak_instructions(precision: Precision) -> &'static str {
    kernel(precision).name
}

/// Bytes per second that all threads of rayon's pool read together from 256 MiB of memory. Holds that much while it
/// measures.
pub fn memory_bandwidth() -> f64 {
    let buffer = vec![1u64; BUFFER_BYTES / size_of::<u64>()];
    best(|| {
        let start = Instant::now();
        rayon::broadcast(|thread| {
            let part = buffer.len().div_ceil(thread.num_threads());
            let range = (thread.index() * part).min(buffer.len())..((thread.index() + 1) * part).min(buffer.len());
            black_box(sum(&buffer[range]));
        });
        BUFFER_BYTES as f64 / start.elapsed().as_secs_f64()
    })
}

/// The largest of a few measurements: what disturbs one only makes it smaller.
fn best(mut measure: impl FnMut() -> f64) -> f64 {
    (0..REPEATS).map(|_| measure()).fold(0.0, f64::max)
}

/// A sum whose additions are independent enough to wait for nothing but memory.
fn sum(values: &[u64]) -> u64 {
    let mut lanes = [0u64; 32];
    for row in values.chunks_exact(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(row) {
            *lane = lane.wrapping_add(*value);
        }
    }
    lanes.iter().fold(0, |all, lane| all.wrapping_add(*lane))
}

/// A loop over registers: runs [`PASSES`] passes.
#[derive(Clone, Copy)]
struct Kernel {
    name: &'static str,
    run: fn(),
    /// Operations of one call of `run`.
    flops: usize,
}

/// Operations per second of one thread.
fn rate(kernel: Kernel) -> f64 {
    let (start, mut calls) = (Instant::now(), 0);
    loop {
        (kernel.run)();
        calls += 1;
        let seconds = start.elapsed();
        if seconds >= SPAN {
            return (calls * kernel.flops) as f64 / seconds.as_secs_f64();
        }
    }
}

fn kernel(precision: Precision) -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        let kernel = |name, run, flops| Kernel { name, run, flops: PASSES * flops };
        if precision == Precision::Bf16 && level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16") {
            // SAFETY: the CPU has AVX-512 BF16.
            return kernel("avx512-bf16", || unsafe { x86::bf16() }, x86::BF16_FLOPS);
        }
        match level() {
            // SAFETY: the CPU has AVX-512.
            Level::Avx512 => return kernel("avx512", || unsafe { x86::avx512() }, x86::AVX512_FLOPS),
            // SAFETY: the CPU has AVX2 and FMA.
            Level::Avx2 => return kernel("avx2", || unsafe { x86::avx2() }, x86::AVX2_FLOPS),
            Level::Portable => {}
        }
    }
    let _ = (precision, level());
    Kernel { name: "portable", run: portable, flops: PASSES * 2 * PORTABLE_LANES }
}

/// Independent sums of [`portable`]: twelve vectors of the four lanes that every CPU of the target has.
const PORTABLE_LANES: usize = 48;

fn portable() {
    let (x, y) = (black_box(0.999_f32), black_box(0.001_f32));
    let mut sums = [1.0f32; PORTABLE_LANES];
    for _ in 0..PASSES {
        for sum in &mut sums {
            *sum = *sum * x + y;
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_set1_epi16, _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::PASSES;

    /// Independent sums: more than latency times throughput of any of these instructions, so that none waits for another.
    const SUMS: usize = 16;
    /// As many as leave room for the operands in AVX2's sixteen registers.
    const AVX2_SUMS: usize = 12;

    /// Operations of one pass: two for each lane of each sum.
    pub const AVX512_FLOPS: usize = 2 * 16 * SUMS;
    pub const AVX2_FLOPS: usize = 2 * 8 * AVX2_SUMS;
    /// Each lane adds two products.
    pub const BF16_FLOPS: usize = 4 * 16 * SUMS;

    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512() {
        let (x, y) = (_mm512_set1_ps(black_box(1e-3)), _mm512_set1_ps(black_box(1e-3)));
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        for _ in 0..PASSES {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(x, y, *sum);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2() {
        let (x, y) = (_mm256_set1_ps(black_box(1e-3)), _mm256_set1_ps(black_box(1e-3)));
        let mut sums = [_mm256_set1_ps(1.0); AVX2_SUMS];
        for _ in 0..PASSES {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(x, y, *sum);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn bf16() {
        // 0x3A80 is 2^-10 in bf16.
        let operand = || {
            let bits = _mm512_set1_epi16(black_box(0x3A80));
            // SAFETY: both are 512 bits without invalid values.
            unsafe { std::mem::transmute::<_, __m512bh>(bits) }
        };
        let (x, y) = (operand(), operand());
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        for _ in 0..PASSES {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, x, y);
            }
        }
        black_box(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_positive_numbers() {
        for peak in [peak_flops(Precision::F32), peak_flops(Precision::Bf16), memory_bandwidth()] {
            assert!(peak.is_finite() && peak > 1e6, "{peak}");
        }
    }

    #[test]
    fn a_sum_is_a_sum() {
        assert_eq!(sum(&[1; 64]), 64);
    }
}
