//! When a request is sent again.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::EndpointError;

/// First wait; doubled after every failure.
const FIRST: f64 = 0.5;
/// Longest wait that is chosen here.
const LONGEST: f64 = 30.0;
/// Longest wait that a server may ask for; a longer one is an error that says so.
const PATIENCE: u64 = 600;

/// How long to wait before the request is sent again after its `failures`-th failure (from 1); `None` for never. What the
/// server asks for, else 0.5 s · 2^(failures − 1) up to 30 s, times a factor in [0.5, 1) that follows from the request, so that
/// requests that failed together do not come back together.
pub(crate) fn wait(error: &EndpointError, failures: usize, retries: usize, request: &[u8]) -> Option<Duration> {
    if failures > retries || !error.may_pass() {
        return None;
    }
    if let EndpointError::Status { retry_after: Some(seconds), .. } = error {
        return (*seconds <= PATIENCE).then_some(Duration::from_secs(*seconds));
    }
    let doubled = FIRST * 2f64.powi(failures.min(16) as i32 - 1);
    Some(Duration::from_secs_f64(doubled.min(LONGEST) * jitter(request, failures)))
}

fn jitter(request: &[u8], failures: usize) -> f64 {
    let hash = Sha256::new().chain_update(request).chain_update((failures as u64).to_le_bytes()).finalize();
    let bits = hash.iter().take(4).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    0.5 + 0.5 * f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> EndpointError {
        EndpointError::Status { url: "u".into(), status, message: String::new(), retry_after }
    }

    #[test]
    fn waits_double_and_differ_between_requests_but_not_between_runs() {
        let seconds = |failures, request: &[u8]| wait(&status(500, None), failures, 99, request).unwrap().as_secs_f64();
        for (failures, full) in [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (99, 30.0)] {
            let waited = seconds(failures, b"a");
            assert!(waited >= full / 2.0 && waited < full, "{failures}: {waited}");
            assert_eq!(waited, seconds(failures, b"a"));
            assert_ne!(waited, seconds(failures, b"b"));
        }
    }

    #[test]
    fn the_server_has_the_say() {
        assert_eq!(wait(&status(429, Some(7)), 1, 5, b""), Some(Duration::from_secs(7)));
        assert_eq!(wait(&status(503, Some(0)), 5, 5, b""), Some(Duration::ZERO));
        assert_eq!(wait(&status(429, Some(7)), 6, 5, b""), None);
        assert_eq!(wait(&status(429, Some(86_400)), 1, 5, b""), None);
        assert_eq!(wait(&status(400, Some(1)), 1, 5, b""), None);
        assert_eq!(wait(&status(500, None), 1, 0, b""), None);
    }
}
