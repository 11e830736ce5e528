//! Many requests at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use crate::pace::GLANCE;
use crate::{Endpoint, EndpointError, Reply, Request};

struct Work {
    requests: Vec<Request>,
    next: AtomicUsize,
    stopped: AtomicBool,
}

/// Stops the threads however the caller's work ends.
struct Ends<'a>(&'a Work);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// As [`Endpoint::ask_while`]. The threads are not waited for: one that hangs in a request when it is to stop ends with that
/// request, and its answer is dropped.
pub(crate) fn ask_while(
    endpoint: &Endpoint,
    requests: &[Request],
    stop: &dyn Fn() -> bool,
    each: &mut dyn FnMut(usize, Result<Reply, EndpointError>),
) {
    let work =
        Arc::new(Work { requests: requests.to_vec(), next: AtomicUsize::new(0), stopped: AtomicBool::new(stop()) });
    let _ends = Ends(&work);
    let (sender, answers) = mpsc::channel();
    for _ in 0..requests.len().min(endpoint.spec().max_connections.max(1)) {
        let (endpoint, shared, sender) = (endpoint.clone(), Arc::clone(&work), sender.clone());
        let worker = move || {
            let stopped = || shared.stopped.load(Ordering::Relaxed);
            while !stopped() {
                let at = shared.next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = shared.requests.get(at) else { return };
                let Some(answer) = endpoint.ask_until(request, &stopped) else { return };
                if sender.send((at, answer)).is_err() {
                    return;
                }
            }
        };
        // A machine that is short of threads works with those it has.
        if thread::Builder::new().name("endpoint".into()).spawn(worker).is_err() {
            break;
        }
    }
    drop(sender);
    loop {
        match answers.recv_timeout(GLANCE) {
            Ok((at, answer)) => each(at, answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if stop() {
            answers.try_iter().for_each(|(at, answer)| each(at, answer));
            return;
        }
    }
    // Not one thread could be started.
    for (at, request) in requests.iter().enumerate().skip(work.next.load(Ordering::Relaxed)) {
        match endpoint.ask_until(request, stop) {
            Some(answer) => each(at, answer),
            None => return,
        }
    }
}
