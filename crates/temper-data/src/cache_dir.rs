//! The folder of what can be made again.

use std::path::PathBuf;

/// Where pre-trained lab models and judgements of costly scorers are kept: `$TEMPER_CACHE`, or `temper` in the user's cache
/// folder.
pub fn cache_dir() -> PathBuf {
    let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    env("TEMPER_CACHE")
        .or_else(|| env("XDG_CACHE_HOME").map(|dir| dir.join("temper")))
        .or_else(|| env("HOME").map(|dir| dir.join(".cache/temper")))
        .unwrap_or_else(|| std::env::temp_dir().join("temper"))
}
