//! Times of a run.

use jiff::Timestamp;
use temper_run::summary::RunSummary;

/// Seconds from start to end; `None` when the run has not ended or a time cannot be read.
pub fn elapsed(run: &RunSummary) -> Option<f64> {
    let started: Timestamp = run.started.parse().ok()?;
    let finished: Timestamp = run.finished.as_deref()?.parse().ok()?;
    Some(finished.duration_since(started).as_secs_f64()).filter(|seconds| *seconds >= 0.0)
}

/// `2026-03-01 14:05 UTC`; the text itself when it is no RFC 3339 time.
pub fn pretty(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => format!("{} UTC", time.strftime("%Y-%m-%d %H:%M")),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shortened() {
        assert_eq!(pretty("2026-03-01T14:05:59.25Z"), "2026-03-01 14:05 UTC");
        assert_eq!(pretty("2026-03-01T14:05:59+02:00"), "2026-03-01 12:05 UTC");
        assert_eq!(pretty("yesterday"), "yesterday");
    }
}
