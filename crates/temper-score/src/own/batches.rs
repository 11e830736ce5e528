//! Batches to a scorer outside of Temper: several at a time, and one bad sample or a broken scorer spoils nothing else.
//!
//! A batch that fails is tried again sample by sample, so that only the samples at fault are errors. What fails again and
//! again is given up for the rest of the call, so that a broken or hanging scorer costs a call a bounded time; the next call
//! tries once more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::wire::{self, Refused};
use crate::{Judged, Part, Sample, Score};

/// Time limits that one call may lose to batches without an answer.
const HANGS: usize = 10;

/// Why a batch came back without scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The scorer works and said what is wrong with this batch.
    Told(String),
    /// The scorer did not answer in its time.
    Hung(String),
    /// The scorer broke, could not be started or reached, or answered what nobody understands.
    Broke(String),
}

impl Failure {
    fn reason(self) -> String {
        match self {
            Failure::Told(reason) | Failure::Hung(reason) | Failure::Broke(reason) => reason,
        }
    }
}

/// The way to a scorer outside of Temper.
pub(crate) trait Channel: Send + Sync {
    /// Sends a batch and reads the answer: `read` turns its text into judgements.
    fn exchange(&self, batch: &Value, read: &Reader) -> Result<Vec<Judged>, Failure>;
}

/// Reads an answer.
pub(crate) type Reader<'a> = dyn Fn(&str) -> Result<Vec<Judged>, Refused> + Sync + 'a;

/// Samples to judgements through a channel.
pub(crate) struct Batches<C> {
    pub(crate) channel: C,
    /// Batches in work at a time.
    pub(crate) workers: usize,
    /// Samples of a batch at most.
    pub(crate) size: usize,
    /// Failures in a row after which the rest of a call is given up.
    pub(crate) restarts: usize,
    pub(crate) part: Part,
    pub(crate) range: Option<(f64, f64)>,
    /// Failures since the last answer, over all calls.
    failures: AtomicUsize,
}

/// What one call has lost so far.
#[derive(Default)]
struct Call {
    hangs: AtomicUsize,
    given_up: Mutex<Option<String>>,
}

impl<C: Channel> Batches<C> {
    pub(crate) fn new(
        channel: C,
        workers: usize,
        size: usize,
        restarts: usize,
        part: Part,
        range: Option<(f64, f64)>,
    ) -> Self {
        Batches { channel, workers, size, restarts, part, range, failures: AtomicUsize::new(0) }
    }

    /// One judgement per sample. Samples without the part that is judged are not applicable.
    pub(crate) fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        // A scorer that was given up gets one attempt per call.
        let _ = self.failures.fetch_min(self.restarts.saturating_sub(1), Ordering::SeqCst);
        let at: Vec<usize> = (0..samples.len()).filter(|at| samples[*at].part(self.part).is_some()).collect();
        let call = Call::default();
        let batches: Vec<&[usize]> = at.chunks(self.size).collect();
        let next = AtomicUsize::new(0);
        let judged: Mutex<Vec<Judged>> = Mutex::new(vec![Score::NotApplicable.into(); samples.len()]);
        let work = || {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::SeqCst)) {
                let inputs: Vec<Sample> = batch.iter().map(|at| samples[*at]).collect();
                let outcome = self.batch(&inputs, &call);
                let mut judged = lock(&judged);
                for (at, one) in batch.iter().zip(outcome) {
                    judged[*at] = one;
                }
            }
        };
        match self.workers.min(batches.len()) {
            0 => {}
            1 => work(),
            threads => std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            }),
        }
        judged.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn batch(&self, samples: &[Sample], call: &Call) -> Vec<Judged> {
        match self.exchange(samples, call) {
            Ok(judged) => judged,
            // An answer of a scorer that works holds for this sample.
            Err(Failure::Told(reason)) if samples.len() == 1 => vec![Score::Error(reason).into()],
            Err(_) => samples
                .iter()
                .map(|sample| match self.exchange(std::slice::from_ref(sample), call) {
                    Ok(mut judged) => judged.pop().unwrap_or_else(|| Score::Error("gave no score".into()).into()),
                    Err(failure) => Score::Error(failure.reason()).into(),
                })
                .collect(),
        }
    }

    fn exchange(&self, samples: &[Sample], call: &Call) -> Result<Vec<Judged>, Failure> {
        if let Some(reason) = lock(&call.given_up).clone() {
            return Err(Failure::Broke(reason));
        }
        let batch = wire::request(samples, self.part).map_err(Failure::Told)?;
        let size = samples.len();
        let outcome = self.channel.exchange(&batch, &move |text| wire::answer(text, size, self.range));
        match &outcome {
            Ok(_) | Err(Failure::Told(_)) => self.failures.store(0, Ordering::SeqCst),
            Err(Failure::Hung(reason) | Failure::Broke(reason)) => {
                let failures = self.failures.fetch_add(1, Ordering::SeqCst) + 1;
                let hangs = match &outcome {
                    Err(Failure::Hung(_)) => call.hangs.fetch_add(1, Ordering::SeqCst) + 1,
                    _ => 0,
                };
                let why = if failures >= self.restarts {
                    format!("given up after {failures} failures in a row")
                } else if hangs >= HANGS {
                    format!("given up after {hangs} batches without an answer")
                } else {
                    return outcome;
                };
                lock(&call.given_up).get_or_insert(format!("{why}; the last one: {reason}"));
            }
        }
        outcome
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::row;
    use serde_json::json;
    use temper_data::Row;

    /// Fails on batches with a sample of the given text.
    struct Fussy {
        text: &'static str,
        failure: Failure,
        asked: AtomicUsize,
    }

    impl Channel for Fussy {
        fn exchange(&self, batch: &Value, read: &Reader) -> Result<Vec<Judged>, Failure> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let texts: Vec<&str> = batch["completions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|turns| turns[0]["content"].as_str().unwrap())
                .collect();
            if texts.iter().any(|text| text.contains(self.text)) {
                return Err(self.failure.clone());
            }
            let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
            Ok(read(&json!({"rewards": lengths}).to_string()).unwrap())
        }
    }

    fn fussy(text: &'static str, failure: Failure, workers: usize, size: usize) -> Batches<Fussy> {
        Batches::new(Fussy { text, failure, asked: AtomicUsize::new(0) }, workers, size, 3, Part::Whole, None)
    }

    fn judge(batches: &Batches<Fussy>, row: &Row, texts: &[String]) -> Vec<Score> {
        let samples: Vec<Sample> = texts.iter().map(|text| Sample::new(row, text, 1, false)).collect();
        batches.judge(&samples).into_iter().map(|judged| judged.score).collect()
    }

    #[test]
    fn one_bad_sample_is_one_error() {
        let row = row(json!({}));
        let texts: Vec<String> = (0..20).map(|n| "x".repeat(n + 1)).chain(["bad".into()]).chain(["y".into()]).collect();
        for (workers, size) in [(1, 100), (3, 4), (2, 1)] {
            let batches = fussy("bad", Failure::Broke("broke".into()), workers, size);
            let scores = judge(&batches, &row, &texts);
            for (at, score) in scores.iter().enumerate() {
                match at {
                    20 => assert_eq!(*score, Score::Error("broke".into())),
                    _ => assert_eq!(*score, Score::Value(texts[at].len() as f64), "{workers} {size} {at}"),
                }
            }
        }
    }

    #[test]
    fn what_always_fails_is_given_up_and_tried_again_by_the_next_call() {
        let row = row(json!({}));
        let texts = vec!["bad".to_owned(); 50];
        let batches = fussy("bad", Failure::Broke("broke".into()), 1, 10);
        let scores = judge(&batches, &row, &texts);
        assert_eq!(batches.channel.asked.load(Ordering::SeqCst), 3);
        let why = "given up after 3 failures in a row; the last one: broke";
        assert_eq!(scores[49], Score::Error(why.into()));
        judge(&batches, &row, &texts);
        assert_eq!(batches.channel.asked.load(Ordering::SeqCst), 4);
        assert_eq!(judge(&batches, &row, &["good".to_owned()]), [Score::Value(4.0)]);
        judge(&batches, &row, &texts);
        assert_eq!(batches.channel.asked.load(Ordering::SeqCst), 8, "an answer ends the row of failures");
    }

    #[test]
    fn hangs_cost_a_call_a_bounded_time() {
        let row = row(json!({}));
        let texts: Vec<String> = (0..100).map(|n| if n % 2 == 0 { "bad" } else { "good" }.to_owned()).collect();
        let batches = fussy("bad", Failure::Hung("no answer within 2 s".into()), 1, 1);
        let scores = judge(&batches, &row, &texts);
        let hung = scores.iter().filter(|score| **score == Score::Error("no answer within 2 s".into())).count();
        assert_eq!(hung, 5, "each was tried twice");
        assert!(matches!(&scores[99], Score::Error(why) if why.contains("10 batches without an answer")));
    }

    #[test]
    fn what_a_working_scorer_says_of_one_sample_holds() {
        let row = row(json!({}));
        let batches = fussy("bad", Failure::Told("no".into()), 1, 1);
        assert_eq!(judge(&batches, &row, &["bad".to_owned()]), [Score::Error("no".into())]);
        assert_eq!(batches.channel.asked.load(Ordering::SeqCst), 1);
        assert!(judge(&batches, &row, &[]).is_empty());
        let batches = Batches { part: Part::Thinking, ..batches };
        assert_eq!(judge(&batches, &row, &["good".to_owned()]), [Score::NotApplicable]);
    }
}
