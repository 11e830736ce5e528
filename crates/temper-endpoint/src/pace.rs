//! How many requests at a time, and how many a minute. One pace is shared by all threads and clones of an endpoint.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests at a time to begin with.
const START: usize = 20;
/// How long a waiting thread sleeps before it looks at whether it is to stop.
pub(crate) const GLANCE: Duration = Duration::from_millis(100);

/// The number of requests at a time: four fifths of it after an answer of "too many", a quarter more after twice as many other
/// answers as the number itself. It ends near what the server takes, with a refusal now and then. After a change only answers
/// to requests that were sent since then count, so that one burst of refusals shrinks it once.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    now: usize,
    most: usize,
    answered: usize,
    shrunk: Option<Instant>,
}

impl Limit {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Limit { now: most.min(START), most, answered: 0, shrunk: None }
    }

    fn is_past(&self, sent: Instant) -> bool {
        self.shrunk.is_some_and(|shrunk| sent < shrunk)
    }

    /// The server has too many requests, it says at `at` to one of `sent`.
    pub(crate) fn too_many(&mut self, sent: Instant, at: Instant) {
        if self.is_past(sent) {
            return;
        }
        self.shrunk = Some(at);
        self.answered = 0;
        self.now = (self.now * 4 / 5).max(1);
    }

    /// An answer that was not "too many" to a request of `sent`.
    pub(crate) fn fine(&mut self, sent: Instant) {
        if self.is_past(sent) {
            return;
        }
        self.answered += 1;
        if self.answered >= 2 * self.now {
            self.answered = 0;
            self.now = (self.now + self.now.div_ceil(4)).min(self.most);
        }
    }
}

struct State {
    limit: Limit,
    in_flight: usize,
    /// When the server wants to hear from us again.
    open: Option<Instant>,
    /// When the next request may be sent by the limit per minute.
    slot: Option<Instant>,
}

/// Lets requests through.
pub(crate) struct Pace {
    state: Mutex<State>,
    changed: Condvar,
    /// Time between two requests.
    interval: Duration,
}

/// The right to send one request; given back when dropped.
pub(crate) struct Permit<'a> {
    pace: &'a Pace,
    sent: Instant,
}

impl Pace {
    pub(crate) fn new(max_connections: usize, requests_per_minute: Option<f64>) -> Self {
        let interval = requests_per_minute.filter(|rate| *rate > 0.0).map_or(0.0, |rate| (60.0 / rate).min(86_400.0));
        Pace {
            state: Mutex::new(State { limit: Limit::new(max_connections), in_flight: 0, open: None, slot: None }),
            changed: Condvar::new(),
            interval: Duration::from_secs_f64(interval),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent; `None` when it is to stop.
    pub(crate) fn enter(&self, stopped: &dyn Fn() -> bool) -> Option<Permit<'_>> {
        let mut state = self.state();
        loop {
            if stopped() {
                return None;
            }
            let now = Instant::now();
            let free = state.in_flight < state.limit.now;
            let wait = match state.open.max(state.slot).filter(|at| free && *at > now) {
                Some(at) => at - now,
                None if free => {
                    state.in_flight += 1;
                    state.slot = Some(now + self.interval);
                    return Some(Permit { pace: self, sent: now });
                }
                None => GLANCE,
            };
            let waited = self.changed.wait_timeout(state, wait.min(GLANCE));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Requests at a time now, and those that are under way.
    pub(crate) fn now(&self) -> (usize, usize) {
        let state = self.state();
        (state.limit.now, state.in_flight)
    }
}

impl Permit<'_> {
    /// The request was answered by something else than "too many".
    pub(crate) fn fine(&self) {
        self.pace.state().limit.fine(self.sent);
    }

    /// The server has too many requests, and wants none for `wait`.
    pub(crate) fn too_many(&self, wait: Option<Duration>) {
        let (mut state, now) = (self.pace.state(), Instant::now());
        state.limit.too_many(self.sent, now);
        state.open = state.open.max(wait.map(|wait| now + wait));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.pace.state().in_flight -= 1;
        self.pace.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_shrinks_once_per_burst_and_grows_back() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut limit = Limit::new(100);
        assert_eq!(limit.now, 20);
        for _ in 0..20 {
            limit.too_many(at(0), at(1)); // one burst: all were sent before the first answer
        }
        assert_eq!(limit.now, 16);
        limit.too_many(at(2), at(3));
        assert_eq!(limit.now, 12);
        for _ in 0..50 {
            limit.fine(at(2)); // sent before it shrank
        }
        assert_eq!(limit.now, 12);
        for _ in 0..23 {
            limit.fine(at(4));
        }
        assert_eq!(limit.now, 12);
        limit.fine(at(4));
        assert_eq!(limit.now, 15);
        for _ in 0..2000 {
            limit.fine(at(5));
        }
        assert_eq!(limit.now, 100);
        for round in 0..60 {
            limit.too_many(at(40 + round), at(41 + round));
        }
        assert_eq!(limit.now, 1);
        assert_eq!((Limit::new(0).now, Limit::new(7).now), (1, 7));
    }

    #[test]
    fn a_server_that_refuses_at_random_does_not_stop_the_work() {
        let start = Instant::now();
        let (mut limit, mut sum) = (Limit::new(100), 0);
        for request in 0..2000u64 {
            let now = start + Duration::from_millis(request);
            // One in twenty, unevenly spread.
            if (request * 7919) % 1009 < 50 {
                limit.too_many(now, now)
            } else {
                limit.fine(now)
            }
            sum += limit.now;
        }
        assert!((4..=20).contains(&(sum / 2000)), "{}", sum / 2000);
    }

    #[test]
    fn nobody_enters_while_all_places_are_taken_or_the_server_wants_a_pause() {
        let stop_after = |glances: usize| {
            let left = std::cell::Cell::new(glances);
            move || {
                left.set(left.get().saturating_sub(1));
                left.get() == 0
            }
        };
        let pace = Pace::new(2, None);
        let (a, b) = (pace.enter(&|| false).unwrap(), pace.enter(&|| false).unwrap());
        assert!(pace.enter(&stop_after(2)).is_none());
        assert_eq!(pace.now(), (2, 2));
        drop(a);
        drop(pace.enter(&|| false).unwrap());
        b.too_many(Some(Duration::from_secs(60)));
        drop(b);
        assert_eq!(pace.now(), (1, 0));
        assert!(pace.enter(&stop_after(2)).is_none());
        // One request a minute: the second one has to wait.
        let slow = Pace::new(5, Some(1.0));
        drop(slow.enter(&|| false).unwrap());
        assert!(slow.enter(&stop_after(2)).is_none());
    }
}
