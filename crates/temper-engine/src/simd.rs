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

/// Values of `TEMPER_SIMD`, the best instructions first.
const NAMES: [&str; 3] = ["avx512", "avx2", "portable"];

/// Why the instructions that `TEMPER_SIMD` asks for cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimdError {
    /// The value is none of the known ones.
    #[error("TEMPER_SIMD=`{0}` is not known; use avx512, avx2 or portable, or unset it for the best that this CPU has")]
    Unknown(String),
    /// The CPU lacks the instructions.
    #[error("TEMPER_SIMD={wanted}: this CPU does not have these instructions; use {choices}, or unset it")]
    Missing {
        /// The value.
        wanted: &'static str,
        /// What the CPU has.
        choices: String,
    },
}

/// Checks the environment variable `TEMPER_SIMD`: what a kernel cannot use it does without in silence, so a program calls
/// this when it starts.
///
/// # Errors
/// [`SimdError`] if the value is not known or the CPU lacks the instructions.
pub fn check_simd() -> Result<(), SimdError> {
    match std::env::var("TEMPER_SIMD") {
        Ok(wanted) if !wanted.is_empty() => check(&wanted, level()),
        _ => Ok(()),
    }
}

/// `level` is what is used.
fn check(wanted: &str, level: Level) -> Result<(), SimdError> {
    let Some(at) = NAMES.iter().position(|name| *name == wanted) else {
        return Err(SimdError::Unknown(wanted.to_owned()));
    };
    let used = match level {
        Level::Avx512 => 0,
        Level::Avx2 => 1,
        Level::Portable => 2,
    };
    if used == at {
        return Ok(());
    }
    Err(SimdError::Missing { wanted: NAMES[at], choices: NAMES[used..].join(" or ") })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_missing_instructions_are_named() {
        assert_eq!(check("avx2", Level::Avx2), Ok(()));
        assert_eq!(check("portable", Level::Portable), Ok(()));
        let error = check("sse9", Level::Avx2).unwrap_err().to_string();
        assert!(error.contains("`sse9`") && error.contains("avx512, avx2 or portable"), "{error}");
        let error = check("avx512", Level::Avx2).unwrap_err().to_string();
        assert!(error.contains("use avx2 or portable"), "{error}");
    }
}
