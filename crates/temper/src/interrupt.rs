//! Ctrl-C: the first asks the work to stop in good order, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler of work that finishes its step and saves, and returns the flag that it sets.
pub fn flag() -> Result<&'static AtomicBool, CliError> {
    saying("Stopping after this step; the state is being saved. Press Ctrl-C again to end at once.")
}

/// Installs the handler of work that leaves nothing behind when it is not finished; [`asked`] says when to stop.
pub fn leave_nothing() -> Result<(), CliError> {
    saying("Stopping; nothing will have been written. Press Ctrl-C again to end at once.").map(drop)
}

fn saying(what: &'static str) -> Result<&'static AtomicBool, CliError> {
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\n{what}");
    })
    .map_err(|e| CliError::message(format!("the handler for Ctrl-C cannot be installed: {e}")))?;
    Ok(&STOP)
}

/// Whether Ctrl-C was pressed since a handler was installed.
pub fn asked() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// An error once Ctrl-C was pressed.
pub fn check() -> Result<(), CliError> {
    if asked() { Err(CliError::message("interrupted; nothing was written")) } else { Ok(()) }
}
