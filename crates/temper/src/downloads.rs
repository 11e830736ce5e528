//! Downloads from the Hugging Face Hub on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use temper_data::hub::Download;

use crate::interrupt;

const LINE_EVERY: Duration = Duration::from_secs(15);

/// The download that was shown last.
struct Shown {
    file: String,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

/// Shows how far a download is; stops it after Ctrl-C.
pub fn show(download: &Download) -> ControlFlow<()> {
    if interrupt::asked() {
        return ControlFlow::Break(());
    }
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if shown.as_ref().is_none_or(|shown| shown.file != download.file) {
        *shown = Some(begin(download));
    }
    if let Some(shown) = shown.as_mut() {
        match &shown.bar {
            Some(bar) => bar.set_position(download.done),
            None if shown.last_line.elapsed() > LINE_EVERY => {
                shown.last_line = Instant::now();
                let whole = download.whole.map_or("?".into(), |whole| HumanBytes(whole).to_string());
                eprintln!("{}: {} of {whole}", download.file, HumanBytes(download.done));
            }
            None => {}
        }
    }
    if download.whole == Some(download.done)
        && let Some(Shown { bar: Some(bar), .. }) = shown.as_ref()
    {
        bar.finish_and_clear();
    }
    ControlFlow::Continue(())
}

fn begin(download: &Download) -> Shown {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(download.whole, ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template(
            "{prefix:<28} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(download.file.to_owned());
        bar
    });
    if bar.is_none() {
        let whole = download.whole.map_or(String::new(), |whole| format!(" ({})", HumanBytes(whole)));
        eprintln!("Downloading {} of {}{whole}", download.file, download.repository);
    }
    Shown { file: download.file.to_owned(), bar, last_line: Instant::now() }
}
