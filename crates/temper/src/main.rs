//! Temper's command line.
fn main() {}
