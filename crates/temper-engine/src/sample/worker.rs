//! One worker of [`super::generate`]: a few slots, each with a sequence that grows by one token per turn.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::draw::{Scratch, draw};
use super::{Completion, Finish, Job, Request, lock};
use crate::{EngineError, Key, KvCache, Model, Packed, Positions};

/// Hands out completions to be sampled, in order.
pub(super) struct Queue<'a> {
    requests: &'a [Request],
    next: Mutex<(usize, usize)>,
}

impl<'a> Queue<'a> {
    pub fn new(requests: &'a [Request]) -> Self {
        Queue { requests, next: Mutex::new((0, 0)) }
    }

    /// At most `most` completions of one request: the request and which of its keys.
    fn take(&self, most: usize) -> Option<(usize, Range<usize>)> {
        let mut next = lock(&self.next);
        while self.requests.get(next.0)?.keys.len() == next.1 {
            *next = (next.0 + 1, 0);
        }
        let (request, start) = *next;
        let end = self.requests[request].keys.len().min(start + most);
        next.1 = end;
        Some((request, start..end))
    }
}

/// What sampling starts from after a prompt.
struct Prefix {
    cache: Arc<KvCache>,
    logits: Vec<f32>,
}

/// Prompts that have been run, kept while completions of theirs are still to be started.
pub(super) struct Prefixes(Vec<Mutex<Waiting>>);

struct Waiting {
    prefix: Option<Arc<Prefix>>,
    /// Completions not yet started.
    left: usize,
}

impl Prefixes {
    pub fn new(requests: &[Request]) -> Self {
        let waiting = |r: &Request| Mutex::new(Waiting { prefix: None, left: r.keys.len() });
        Prefixes(requests.iter().map(waiting).collect())
    }

    /// The state after the prompt of `request`, for `count` completions. Whoever comes first computes it.
    fn take(&self, job: &Job, request: usize, count: usize) -> Arc<Prefix> {
        let mut waiting = lock(&self.0[request]);
        let known = waiting.prefix.take();
        let prefix = known.unwrap_or_else(|| Arc::new(prefill(job.model, &job.requests[request].prompt)));
        waiting.left -= count;
        if waiting.left > 0 {
            waiting.prefix = Some(prefix.clone());
        }
        prefix
    }
}

fn prefill(model: &Model, prompt: &[u32]) -> Prefix {
    let mut cache = KvCache::new(model, prompt.len());
    let (mut hidden, mut logits) = (Vec::new(), Vec::new());
    model.extend(&mut [&mut cache], &Packed::new(&[prompt]), Positions::Last, &mut hidden);
    model.logits(&hidden, &mut logits);
    Prefix { cache: Arc::new(cache), logits }
}

/// A finished completion and where it belongs.
pub(super) struct Done {
    pub request: usize,
    pub sample: usize,
    pub completion: Completion,
}

/// A sequence being sampled.
struct Slot {
    request: usize,
    sample: usize,
    key: Key,
    cache: KvCache,
    /// Tokens after which it is cut.
    limit: usize,
    ids: Vec<u32>,
    logprobs: Vec<f32>,
}

/// Samples until the queue is empty and every slot is done, or the job is stopped. `turn` is called after each token.
pub(super) fn run(job: &Job, turn: &mut dyn FnMut()) {
    let mut worker = Worker { job, slots: Vec::new(), done: Vec::new(), scratch: Scratch::default() };
    let (mut hidden, mut logits) = (Vec::new(), Vec::new());
    while !job.stop.load(Ordering::Relaxed) {
        worker.refill();
        if worker.slots.is_empty() {
            break;
        }
        let mut step = Packed::default();
        for slot in &worker.slots {
            step.push(slot.ids.last().map_or(&[], std::slice::from_ref), None);
        }
        let mut caches: Vec<&mut KvCache> = worker.slots.iter_mut().map(|s| &mut s.cache).collect();
        job.model.extend(&mut caches, &step, Positions::Last, &mut hidden);
        job.model.logits(&hidden, &mut logits);
        worker.advance(&logits);
        turn();
    }
    lock(&job.results).append(&mut worker.done);
}

struct Worker<'a> {
    job: &'a Job<'a>,
    slots: Vec<Slot>,
    done: Vec<Done>,
    scratch: Scratch,
}

impl Worker<'_> {
    /// Fills free slots with new sequences, each with its first token.
    fn refill(&mut self) {
        while self.slots.len() < self.job.slots && !self.job.stop.load(Ordering::Relaxed) {
            let Some((request, samples)) = self.job.queue.take(self.job.slots - self.slots.len()) else { return };
            self.start(request, samples);
        }
    }

    fn start(&mut self, request: usize, samples: Range<usize>) {
        let Request { prompt, keys } = &self.job.requests[request];
        let room = self.job.model.config().max_position_embeddings - prompt.len();
        let limit = self.job.params.max_new_tokens.min(room);
        let slot = |sample: usize, cache: KvCache| Slot {
            request,
            sample,
            key: keys[sample],
            cache,
            limit,
            ids: Vec::new(),
            logprobs: Vec::new(),
        };
        if limit == 0 {
            for sample in samples {
                self.finish(slot(sample, KvCache::new(self.job.model, 0)), Finish::Length);
            }
            return;
        }
        let prefix = self.job.prefixes.take(self.job, request, samples.len());
        for sample in samples {
            if let Some(slot) = self.push(slot(sample, prefix.cache.branch(limit)), &prefix.logits) {
                self.slots.push(slot);
            }
        }
    }

    /// One token for every slot from the rows of `logits`.
    fn advance(&mut self, logits: &[f32]) {
        let slots = std::mem::take(&mut self.slots);
        let vocab = self.job.model.config().vocab_size;
        for (slot, row) in slots.into_iter().zip(logits.chunks_exact(vocab)) {
            if let Some(slot) = self.push(slot, row) {
                self.slots.push(slot);
            }
        }
    }

    /// Draws the next token of a sequence. Gives it back if it goes on.
    fn push(&mut self, mut slot: Slot, logits: &[f32]) -> Option<Slot> {
        let u = slot.key.fold(slot.ids.len() as u64).uniform();
        let (id, logprob) = draw(logits, self.job.params, u, &mut self.scratch);
        if !logprob.is_finite() {
            self.fail(slot.request, slot.ids.len());
            return None;
        }
        slot.ids.push(id);
        slot.logprobs.push(logprob);
        self.job.tokens.fetch_add(1, Ordering::Relaxed);
        if self.job.params.stop_ids.contains(&id) {
            self.finish(slot, Finish::Stop);
            None
        } else if slot.ids.len() == slot.limit {
            self.finish(slot, Finish::Length);
            None
        } else {
            Some(slot)
        }
    }

    fn finish(&mut self, slot: Slot, finish: Finish) {
        let Slot { request, sample, ids, logprobs, .. } = slot;
        self.done.push(Done { request, sample, completion: Completion { ids, logprobs, finish } });
    }

    fn fail(&self, request: usize, token: usize) {
        let problem = format!(
            "the model's logits after token {token} of the completion of prompt {request} (counted from 0) are not \
             finite; its weights are broken: go back to an earlier checkpoint"
        );
        let mut failure = lock(&self.job.failure);
        if failure.as_ref().is_none_or(|(earlier, _)| request < *earlier) {
            *failure = Some((request, EngineError::Sampling { problem }));
        }
        self.job.stop.store(true, Ordering::Relaxed);
    }
}
