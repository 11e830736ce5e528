//! Ctrl-C: the first asks the run to finish its step and save, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler and returns the flag that it sets.
pub fn flag() -> Result<&'static AtomicBool, CliError> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\nStopping after this step; the state is being saved. Press Ctrl-C again to end at once.");
    })
    .map_err(|e| CliError::message(format!("the handler for Ctrl-C cannot be installed: {e}")))?;
    Ok(&STOP)
}

/// Whether Ctrl-C was pressed since [`flag`] was called.
pub fn asked() -> bool {
    STOP.load(Ordering::SeqCst)
}
