//! Libraries that panic at damaged files.

use std::cell::Cell;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// A guarded step runs on this thread.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a step of a reader. The libraries check what they read, but not everything: damage that they panic at is an error, and
/// the panic is not printed.
pub(crate) fn guarded<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(step));
    GUARDED.set(outer);
    match result {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("what it says of its own content is contradictory".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_an_error_stays() {
        assert_eq!(guarded(|| Ok::<_, String>(1)), Ok(1));
        assert_eq!(guarded(|| Err::<(), _>("why")), Err("why".to_owned()));
        let panics = guarded(|| if GUARDED.get() { panic!("index") } else { Ok::<(), String>(()) });
        assert!(panics.unwrap_err().contains("contradictory"));
        assert!(!GUARDED.get());
    }
}
