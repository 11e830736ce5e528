//! The number types that the engine computes in.

/// `f32` at run time, `f64` to check gradients against finite differences.
pub trait Real: Copy + Send + Sync + Default + PartialOrd + std::fmt::Debug + 'static {
    /// Rounded from `f64`.
    fn from_f64(x: f64) -> Self;
    /// Exactly, as `f64`.
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
}
