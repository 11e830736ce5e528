//! Weighted mixtures of sources.
//!
//! A mixture fixes how many rows each source gives, spreads them evenly, and answers for any position which row of which
//! source stands there. It is a pure function of its arguments: nothing is sampled, so it can be begun anywhere.

use crate::order::Shuffle;
use crate::setting::SettingError;
use crate::units::mix;
use serde::{Deserialize, Serialize};

/// Rows between the positions whose state is kept.
const STRIDE: u64 = 1024;
/// The most rows that are planned; that takes about a minute.
const LONGEST: u64 = 1 << 32;

/// One source of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Name of the source.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its tokens; needed where the mixture is weighed or counted in tokens.
    pub tokens: Option<u64>,
    /// Its share, relative to the weights of the others; more than 0.
    pub weight: f64,
    /// At most so many different rows are used, drawn by the seed; the same ones in every epoch.
    pub max_rows: Option<u64>,
    /// At most so many passes over the rows; without it a source that is too small is repeated as often as it takes.
    pub max_epochs: Option<u64>,
}

impl Part {
    /// A source without caps.
    pub fn new(name: impl Into<String>, rows: u64, weight: f64) -> Self {
        Self { name: name.into(), rows, tokens: None, weight, max_rows: None, max_epochs: None }
    }

    /// Different rows that may be used.
    fn usable(&self) -> u64 {
        self.max_rows.map_or(self.rows, |most| most.min(self.rows))
    }

    /// Rows that it may give, repeats included.
    fn capacity(&self) -> u64 {
        self.max_epochs.map_or(u64::MAX, |epochs| self.usable().saturating_mul(epochs))
    }
}

/// What weights are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Shares of the rows.
    Rows,
    /// Shares of the tokens, at each source's mean tokens per row.
    Tokens,
}

/// How long a mixture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// So many rows in all.
    Rows(u64),
    /// About so many tokens in all, at each source's mean tokens per row.
    Tokens(u64),
    /// Until the first source is used up: it has given each usable row as often as `max_epochs` says, else once.
    FirstExhausted,
    /// Until every source has given each usable row at least once; smaller ones are repeated, as far as `max_epochs` lets, and
    /// what that keeps from them no other source takes.
    LastExhausted,
}

/// What a mixture takes from one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Name of the source.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Rows of it that may be used, after `max_rows`.
    pub usable: u64,
    /// Rows taken, repeats included.
    pub taken: u64,
    /// Passes over the usable rows; 1.5 is every row once and half of them again.
    pub epochs: f64,
    /// Tokens taken, at the mean tokens per row, where tokens are known.
    pub tokens: Option<u64>,
    /// Its weight over all weights.
    pub share_asked: f64,
    /// The share that it has, of rows or tokens as the weights are; smaller where a cap does not let it have more.
    pub share: f64,
}

/// A row of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Position of the source among the parts.
    pub source: usize,
    /// Row of the source, from 0.
    pub row: u64,
    /// Earlier passes over the source.
    pub epoch: u64,
}

/// A weighted mixture: a sequence of rows of sources.
///
/// At every prefix the rows taken from a source differ from its share of that prefix by less than one row (Tijdeman 1980, "The
/// chairman assignment problem"). Each pass over a source is a new [`Shuffle`].
///
/// ```
/// use temper_data::mix::{Length, Mixture, Part, Unit};
/// let parts = [Part::new("maths", 300, 3.0), Part::new("chat", 50, 1.0)];
/// let mixture = Mixture::new(&parts, Unit::Rows, Length::Rows(400), 7).unwrap();
/// let taken = mixture.summary();
/// assert_eq!((taken[0].taken, taken[1].taken, taken[1].epochs), (300, 100, 2.0));
/// ```
#[derive(Clone, Debug)]
pub struct Mixture {
    parts: Vec<Part>,
    unit: Unit,
    seed: u64,
    /// Rows to take from each source.
    counts: Vec<u64>,
    len: u64,
    /// Rows taken from each source before every [`STRIDE`]-th position, one after the other.
    before: Vec<u64>,
}

impl Mixture {
    /// Plans a mixture. Where caps keep a source from its share of so many rows or tokens, the others take the rest by their
    /// weights; where all are capped, the mixture is shorter than asked. [`summary`](Self::summary) shows both.
    ///
    /// # Errors
    ///
    /// No parts, a weight that is not a number above 0, an empty source, a cap of 0, unknown tokens where they are needed, a
    /// length of 0, or more than 2³² rows.
    pub fn new(parts: &[Part], unit: Unit, length: Length, seed: u64) -> Result<Self, SettingError> {
        check(parts, unit, length)?;
        let per_row: Vec<f64> = parts.iter().map(mean_tokens).collect();
        // Shares of the rows.
        let weights: Vec<f64> = match unit {
            Unit::Rows => parts.iter().map(|part| part.weight).collect(),
            Unit::Tokens => parts.iter().zip(&per_row).map(|(part, mean)| part.weight / mean).collect(),
        };
        let sum: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
        let capacities: Vec<u64> = parts.iter().map(Part::capacity).collect();
        let until = |rows: f64| -> Vec<u64> {
            let counts = shares.iter().zip(&capacities);
            counts.map(|(share, most)| ((share * rows).round() as u64).min(*most)).collect()
        };
        let passes = |passes: &dyn Fn(&Part) -> u64| -> Vec<f64> {
            parts.iter().zip(&shares).map(|(part, share)| part.usable() as f64 * passes(part) as f64 / share).collect()
        };
        let counts = match length {
            Length::Rows(rows) => whole(&fill(&shares, &capacities, rows as f64, &vec![1.0; parts.len()]), &capacities),
            Length::Tokens(tokens) => whole(&fill(&shares, &capacities, tokens as f64, &per_row), &capacities),
            Length::FirstExhausted => {
                until(passes(&|part| part.max_epochs.unwrap_or(1)).into_iter().fold(f64::INFINITY, f64::min))
            }
            Length::LastExhausted => until(passes(&|_| 1).into_iter().fold(0.0, f64::max)),
        };
        let len = counts.iter().fold(0u64, |len, count| len.saturating_add(*count));
        if len > LONGEST {
            return Err(SettingError::new(
                format!("a mixture would have {len} rows, expected at most {LONGEST}"),
                "Ask for fewer rows or tokens, or give small weights to small sources only",
            ));
        }
        let mut out = Self { parts: parts.to_vec(), unit, seed, counts, len, before: Vec::new() };
        let mut taken = vec![0; parts.len()];
        for position in 0..len {
            if position % STRIDE == 0 {
                out.before.extend_from_slice(&taken);
            }
            let source = next(&out.counts, len, position, &taken);
            taken[source] += 1;
        }
        Ok(out)
    }

    /// Rows in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The row at a position; `None` from the end on.
    pub fn at(&self, position: u64) -> Option<Pick> {
        self.starting_at(position).next()
    }

    /// The rows from a position on.
    pub fn starting_at(&self, position: u64) -> impl Iterator<Item = Pick> + '_ {
        let sources = self.parts.len();
        let from = position.min(self.len) / STRIDE;
        let mut taken = match self.before.get(from as usize * sources..) {
            Some(before) if before.len() >= sources => before[..sources].to_vec(),
            _ => self.counts.clone(),
        };
        for earlier in from * STRIDE..position.min(self.len) {
            let source = next(&self.counts, self.len, earlier, &taken);
            taken[source] += 1;
        }
        (position..self.len).map(move |at| {
            let source = next(&self.counts, self.len, at, &taken);
            let number = taken[source];
            taken[source] += 1;
            self.pick(source, number)
        })
    }

    /// The `number`-th row that a source gives.
    fn pick(&self, source: usize, number: u64) -> Pick {
        let part = &self.parts[source];
        let seed = mix(self.seed ^ mix(source as u64));
        let (epoch, at) = (number / part.usable(), number % part.usable());
        let usable = Shuffle::new(part.usable(), seed, epoch).at(at).unwrap_or(at);
        // The usable rows are the first of a shuffle of all of them.
        let row =
            if part.usable() == part.rows { usable } else { chosen(part.rows, seed).at(usable).unwrap_or(usable) };
        Pick { source, row, epoch }
    }

    /// What is taken from each source, in the order of the parts.
    pub fn summary(&self) -> Vec<Taken> {
        let sizes: Vec<f64> = match self.unit {
            Unit::Rows => self.counts.iter().map(|count| *count as f64).collect(),
            Unit::Tokens => {
                self.parts.iter().zip(&self.counts).map(|(part, count)| mean_tokens(part) * *count as f64).collect()
            }
        };
        let (all, weights): (f64, f64) = (sizes.iter().sum(), self.parts.iter().map(|part| part.weight).sum());
        let parts = self.parts.iter().zip(&self.counts).zip(sizes);
        parts
            .map(|((part, count), size)| Taken {
                name: part.name.clone(),
                rows: part.rows,
                usable: part.usable(),
                taken: *count,
                epochs: *count as f64 / part.usable() as f64,
                tokens: part.tokens.map(|_| (mean_tokens(part) * *count as f64).round() as u64),
                share_asked: part.weight / weights,
                share: if all > 0.0 { size / all } else { 0.0 },
            })
            .collect()
    }
}

/// Which rows a cap leaves: a shuffle that no epoch has.
fn chosen(rows: u64, seed: u64) -> Shuffle {
    Shuffle::new(rows, seed, u64::MAX)
}

/// 0 where tokens are not known.
fn mean_tokens(part: &Part) -> f64 {
    part.tokens.unwrap_or(0) as f64 / part.rows as f64
}

fn check(parts: &[Part], unit: Unit, length: Length) -> Result<(), SettingError> {
    let error = |what: String, remedy: &str| Err(SettingError::new(what, remedy));
    if parts.is_empty() {
        return error("a mixture has no sources".into(), "Name at least one");
    }
    if matches!(length, Length::Rows(0) | Length::Tokens(0)) {
        return error("a mixture of 0 rows or tokens is asked for".into(), "Ask for at least one");
    }
    for part in parts {
        let name = &part.name;
        if !(part.weight.is_finite() && part.weight > 0.0) {
            return error(
                format!("source `{name}` of a mixture has the weight {}, expected a number above 0", part.weight),
                "Give it a weight above 0, or leave the source out",
            );
        }
        if part.rows == 0 {
            return error(
                format!("source `{name}` of a mixture has no rows"),
                "Leave it out, or see why nothing is left of it",
            );
        }
        if part.max_rows == Some(0) || part.max_epochs == Some(0) {
            return error(
                format!("source `{name}` of a mixture is capped at 0 rows or epochs"),
                "Give a cap above 0, or leave the source out",
            );
        }
        let needs_tokens = unit == Unit::Tokens || matches!(length, Length::Tokens(_));
        if needs_tokens && part.tokens.unwrap_or(0) == 0 {
            return error(
                format!("a mixture is measured in tokens, and source `{name}` has none or they were not counted"),
                "Count its tokens with the tokenizer of the model, or measure the mixture in rows",
            );
        }
    }
    Ok(())
}

/// How many rows each source gives, not rounded: shares of so many rows that their sizes add up to `total`, where no source
/// gives more than its capacity and the others share the rest.
fn fill(shares: &[f64], capacities: &[u64], total: f64, sizes: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; shares.len()];
    let mut open: Vec<usize> = (0..shares.len()).collect();
    let mut rest = total;
    while !open.is_empty() {
        let rows = rest / open.iter().map(|i| shares[*i] * sizes[*i]).sum::<f64>();
        open.iter().for_each(|i| out[*i] = shares[*i] * rows);
        let (full, others): (Vec<usize>, _) = open.iter().partition(|i| out[**i] > capacities[**i] as f64);
        if full.is_empty() {
            break;
        }
        for i in full {
            out[i] = capacities[i] as f64;
            rest -= out[i] * sizes[i];
        }
        open = others;
    }
    out
}

/// Whole numbers with the rounded sum: the largest remainders are rounded up, of equal ones the first.
fn whole(exact: &[f64], capacities: &[u64]) -> Vec<u64> {
    // A sum of floats that should be whole is not made one less by its last bits.
    let total = exact.iter().sum::<f64>().round() as u64;
    let mut counts: Vec<u64> = exact.iter().zip(capacities).map(|(x, most)| (x.floor() as u64).min(*most)).collect();
    let mut by_remainder: Vec<usize> = (0..exact.len()).collect();
    by_remainder.sort_by(|a, b| (exact[*b] - exact[*b].floor()).total_cmp(&(exact[*a] - exact[*a].floor())));
    let mut missing = total.saturating_sub(counts.iter().sum());
    for i in by_remainder {
        if missing > 0 && counts[i] < capacities[i] {
            counts[i] += 1;
            missing -= 1;
        }
    }
    counts
}

/// The source of a position: of those that would otherwise fall behind or are due, the one with the earliest deadline. Each
/// source then stays within 1 − 1 / (2k − 2) rows of its share at every prefix, k sources (Tijdeman 1980).
fn next(counts: &[u64], len: u64, position: u64, taken: &[u64]) -> usize {
    let sources = counts.len();
    if sources == 1 {
        return 0;
    }
    let slack = 2 * sources as i128 - 2;
    let n = i128::from(len);
    let mut best: Option<(usize, i128, i128)> = None;
    for (source, (count, taken)) in counts.iter().zip(taken).enumerate() {
        let count = i128::from(*count);
        // len × (share of the prefix − taken)
        let behind = count * (i128::from(position) + 1) - i128::from(*taken) * n;
        if count == 0 || behind * slack < n {
            continue;
        }
        // The deadline is (1 − 1 / slack − behind / len) / (count / len).
        let (time, rate) = ((slack - 1) * n - slack * behind, count);
        if best.is_none_or(|(_, best_time, best_rate)| time * best_rate < best_time * rate) {
            best = Some((source, time, rate));
        }
    }
    // Tijdeman shows that there is always one; what is furthest behind is a safe answer anyway.
    best.map_or_else(
        || {
            let behind = |s: &usize| i128::from(counts[*s]) * (i128::from(position) + 1) - i128::from(taken[*s]) * n;
            (0..sources).filter(|s| taken[*s] < counts[*s]).max_by_key(behind).unwrap_or(0)
        },
        |(source, _, _)| source,
    )
}

#[cfg(test)]
mod tests;
