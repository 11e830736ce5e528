//! How a stage tells that it is alive.

/// What the whole of a task is counted in, for rates and time left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Total {
    /// Optimizer steps.
    Steps(usize),
    /// Rows, prompts or items.
    Items(usize),
    /// Tokens.
    Tokens(usize),
    /// Floating-point operations.
    Flops(f64),
    /// Not known beforehand.
    Unknown,
}

/// Receives the progress of a task; the command line draws bars, tests ignore it.
pub trait Progress {
    /// A task begins. Tasks do not nest.
    fn begin(&mut self, label: &str, total: Total);
    /// The share of the task that is done, in [0, 1], with a short note of the newest figures.
    fn advance(&mut self, done: f64, note: &str);
    /// The task that began last is over.
    fn end(&mut self);
    /// Something a person should read, once.
    fn warn(&mut self, message: &str);
}

/// Progress that nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&mut self, _label: &str, _total: Total) {}
    fn advance(&mut self, _done: f64, _note: &str) {}
    fn end(&mut self) {}
    fn warn(&mut self, _message: &str) {}
}
