//! Run-time choice of vector instructions.

use std::sync::OnceLock;

/// Vector instructions that a kernel may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub enum Level {
    /// What every CPU of the target has.
    Portable,
    /// AVX2 and FMA: 8 lanes of f32.
    Avx2,
    /// AVX-512: 16 lanes of f32.
    Avx512,
}

/// The best level of this CPU. `TEMPER_SIMD=portable` or `avx2` in the environment chooses a lower one, and `avx512` does
/// without the products of bf16 pairs.
#[inline]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

fn detect() -> Level {
    let wanted = std::env::var("TEMPER_SIMD").unwrap_or_default();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx512 && wanted != "avx2" && wanted != "portable" {
            return Level::Avx512;
        }
        if avx2 && wanted != "portable" {
            return Level::Avx2;
        }
    }
    let _ = wanted;
    Level::Portable
}

/// Whether the CPU multiplies pairs of bf16 (AVX-512 BF16).
#[inline]
pub fn bf16_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static PAIRS: OnceLock<bool> = OnceLock::new();
        *PAIRS.get_or_init(|| {
            let allowed = std::env::var("TEMPER_SIMD").map_or(true, |wanted| wanted != "avx512");
            allowed && level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16")
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Defines a function over `F: Real` whose body is compiled once for each [`Level`] and chosen at run time. The body
/// may use the constant `FMA`: whether a fused multiply-add is one instruction.
macro_rules! simd {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<F: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<F: $crate::real::Real, const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512<F: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<F, true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<F: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<F, true>($($arg),*)
            }

            match $crate::simd::level() {
                // SAFETY: `level` has found these features on this CPU.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx512 => unsafe { avx512::<F>($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx2 => unsafe { avx2::<F>($($arg),*) },
                _ => body::<F, false>($($arg),*),
            }
        }
    )*};
}
pub(crate) use simd;
