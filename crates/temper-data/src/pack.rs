//! Examples to batches: in the order of the shuffle, packed, or of similar length.
//!
//! The engine packs without padding and attention is per example, so a batch is only a set of examples that take part in one
//! pass: putting them together in another way changes which examples meet in a step, never what they see.

use crate::order;
use std::collections::BTreeMap;

/// How much of an epoch is looked at together when examples are packed or sorted. The examples of one window are next to each
/// other in the shuffle, so that an epoch stays shuffled beyond it.
pub(crate) const WINDOW: usize = 4096;

/// How examples are put into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// This many examples, in the order of the shuffle.
    Rows(usize),
    /// As many examples as fit into this many tokens, in the order of the shuffle; at least one.
    Tokens(usize),
    /// Best fit: examples of one window together so that batches of this many tokens are full.
    Packed(usize),
    /// This many examples of similar length.
    RowsByLength(usize),
    /// As many examples of similar length as fit into this many tokens.
    TokensByLength(usize),
}

/// The batches of one epoch over examples of these lengths: every example once, and a function of the arguments alone.
///
/// Packing is best-fit decreasing (each example, longest first, into the fullest batch that has room). Packed and sorted
/// batches come in a shuffled order within their window.
pub fn batches(
    lengths: impl Fn(usize) -> usize,
    count: usize,
    how: Batching,
    seed: u64,
    epoch: u64,
) -> Vec<Vec<usize>> {
    let shuffled = order(count, seed, epoch);
    match how {
        Batching::Rows(rows) => shuffled.chunks(rows.max(1)).map(<[usize]>::to_vec).collect(),
        Batching::Tokens(limit) => next_fit(&shuffled, &lengths, limit),
        Batching::Packed(limit) => windows(&shuffled, seed, epoch, |window| best_fit(window, &lengths, limit)),
        Batching::RowsByLength(rows) => windows(&shuffled, seed, epoch, |window| {
            by_length(window, &lengths).chunks(rows.max(1)).map(<[usize]>::to_vec).collect()
        }),
        Batching::TokensByLength(limit) => {
            windows(&shuffled, seed, epoch, |window| next_fit(&by_length(window, &lengths), &lengths, limit))
        }
    }
}

/// Share of the batches' room that tokens fill; room is `limit` tokens a batch, and the length of an example that is longer.
pub fn fill_rate(batches: &[Vec<usize>], lengths: impl Fn(usize) -> usize, limit: usize) -> f64 {
    let (mut tokens, mut room) = (0, 0);
    for batch in batches {
        let inside: usize = batch.iter().map(|i| lengths(*i)).sum();
        tokens += inside;
        room += inside.max(limit);
    }
    if room == 0 { 1.0 } else { tokens as f64 / room as f64 }
}

fn windows(shuffled: &[usize], seed: u64, epoch: u64, make: impl Fn(&[usize]) -> Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut out = Vec::new();
    for (number, window) in shuffled.chunks(WINDOW).enumerate() {
        let mut made = make(window);
        // A stream of its own: the order of the batches says nothing about that of the examples.
        let places = order(made.len(), seed ^ 0xBA7C_4E50, epoch.wrapping_mul(1 << 20).wrapping_add(number as u64));
        out.extend(places.into_iter().map(|place| std::mem::take(&mut made[place])));
    }
    out
}

fn by_length(window: &[usize], lengths: &impl Fn(usize) -> usize) -> Vec<usize> {
    let mut sorted = window.to_vec();
    // Stable, so that equal lengths stay in the order of the shuffle.
    sorted.sort_by_key(|i| std::cmp::Reverse(lengths(*i)));
    sorted
}

fn next_fit(order: &[usize], lengths: &impl Fn(usize) -> usize, limit: usize) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for i in order {
        let length = lengths(*i);
        match out.last_mut() {
            Some(batch) if tokens + length <= limit => {
                batch.push(*i);
                tokens += length;
            }
            _ => {
                out.push(vec![*i]);
                tokens = length;
            }
        }
    }
    out
}

fn best_fit(window: &[usize], lengths: &impl Fn(usize) -> usize, limit: usize) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = Vec::new();
    // Batches by the room that is left in them.
    let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in by_length(window, lengths) {
        let length = lengths(i);
        let room = open.range(length..).next().map(|(room, _)| *room);
        let (batch, left) = match room {
            Some(room) => {
                let same = open.entry(room).or_default();
                let batch = same.pop().unwrap_or_default();
                if same.is_empty() {
                    open.remove(&room);
                }
                (batch, room - length)
            }
            None => {
                out.push(Vec::new());
                (out.len() - 1, limit.saturating_sub(length))
            }
        };
        out[batch].push(i);
        if left > 0 {
            open.entry(left).or_default().push(batch);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(i: usize) -> usize {
        1 + (i * 7919) % 97
    }

    fn made(how: Batching) -> Vec<Vec<usize>> {
        batches(length, 10_000, how, 3, 1)
    }

    const ALL: [Batching; 5] = [
        Batching::Rows(16),
        Batching::Tokens(256),
        Batching::Packed(256),
        Batching::RowsByLength(16),
        Batching::TokensByLength(256),
    ];

    #[test]
    fn every_example_comes_once_in_every_way() {
        for how in ALL {
            let made = made(how);
            let mut seen: Vec<usize> = made.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..10_000).collect::<Vec<_>>(), "{how:?}");
            assert!(made.iter().all(|batch| !batch.is_empty()), "{how:?}");
            assert_eq!(made, self::made(how), "{how:?}");
            assert_ne!(made, batches(length, 10_000, how, 3, 2), "{how:?}");
        }
    }

    #[test]
    fn limits_hold_and_packing_fills_them() {
        let tokens = |batch: &Vec<usize>| batch.iter().map(|i| length(*i)).sum::<usize>();
        for how in [Batching::Tokens(256), Batching::Packed(256), Batching::TokensByLength(256)] {
            assert!(made(how).iter().all(|batch| tokens(batch) <= 256), "{how:?}");
        }
        let rate = |how| fill_rate(&made(how), length, 256);
        assert!(rate(Batching::Packed(256)) > 0.995, "{}", rate(Batching::Packed(256)));
        assert!(rate(Batching::Tokens(256)) < 0.95);
        // An example that is too long for any batch goes alone.
        let long = batches(|i| if i == 3 { 500 } else { 100 }, 10, Batching::Packed(256), 1, 0);
        assert!(long.iter().any(|batch| *batch == [3]));
        assert_eq!(fill_rate(&[], length, 256), 1.0);
    }

    #[test]
    fn batches_by_length_are_even_and_come_in_no_order_of_length() {
        let made = made(Batching::RowsByLength(16));
        let spread = |batch: &Vec<usize>| {
            let lengths: Vec<usize> = batch.iter().map(|i| length(*i)).collect();
            lengths.iter().max().unwrap() - lengths.iter().min().unwrap()
        };
        assert!(made.iter().map(spread).max().unwrap() <= 2);
        let firsts: Vec<usize> = made.iter().map(|batch| length(batch[0])).collect();
        let falls = firsts.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(falls > firsts.len() / 3 && falls < firsts.len() * 2 / 3, "{falls} of {}", firsts.len());
    }
}
