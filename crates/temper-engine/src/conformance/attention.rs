//! Causal grouped-query attention over packed segments.

use std::ops::Range;

use super::approx::{Approx, ONE, Sum, dot, exact, log_softmax, probabilities};
use super::case::{Case, Kind};
use crate::Precision;
use crate::device::{AttentionShape, Device};

/// Products of a case.
const MOST: usize = 1 << 20;

/// Elements of head `head` of row `row` in a matrix with `heads` heads.
fn head(shape: &AttentionShape, row: usize, heads: usize, head: usize) -> Range<usize> {
    let start = (row * heads + head) * shape.head_dim;
    start..start + shape.head_dim
}

/// Rows whose keys the token at `row` of `segment` sees.
fn seen(shape: &AttentionShape, segment: usize, row: usize) -> Vec<usize> {
    let parent = shape.parents.get(segment).copied().flatten();
    let before = parent.map_or(0..0, |parent| shape.offsets[parent]..shape.offsets[parent + 1]);
    let rows: Vec<usize> = before.chain(shape.offsets[segment]..=row).collect();
    let first = shape.window.map_or(0, |window| rows.len().saturating_sub(window));
    rows[first..].to_vec()
}

/// Calls `f` with each row, the rows whose keys it sees, and each query head with its key-value head.
fn for_queries(shape: &AttentionShape, mut f: impl FnMut(usize, &[usize], usize, usize)) {
    for segment in 0..shape.offsets.len().saturating_sub(1) {
        for row in shape.offsets[segment]..shape.offsets[segment + 1] {
            let keys = seen(shape, segment, row);
            for query_head in 0..shape.heads {
                f(row, &keys, query_head, query_head / (shape.heads / shape.kv_heads));
            }
        }
    }
}

/// Inputs of attention.
struct Inputs<'a> {
    shape: &'a AttentionShape<'a>,
    query: &'a [Approx],
    key: &'a [Approx],
    value: &'a [Approx],
}

impl Inputs<'_> {
    fn scale(&self) -> Approx {
        ONE / Approx::constant(self.shape.head_dim as f64).sqrt()
    }

    /// Probabilities of one query head: `exp(z - log sum exp z)`.
    fn probabilities(&self, row: usize, keys: &[usize], query_head: usize, kv_head: usize) -> Vec<Approx> {
        let (shape, scale) = (self.shape, self.scale());
        let query = &self.query[head(shape, row, shape.heads, query_head)];
        let score = |j: &usize| {
            let key = &self.key[head(shape, *j, shape.kv_heads, kv_head)];
            dot(query.iter().copied().zip(key.iter().copied())) * scale
        };
        let scores: Vec<Approx> = keys.iter().map(score).collect();
        probabilities(&log_softmax(&scores))
    }

    /// What a product reads that was computed.
    fn operand(&self, x: Approx) -> Approx {
        if self.shape.precision == Precision::Bf16 { x.perhaps_bf16() } else { x }
    }

    /// `out = P V` of one query head.
    fn output(&self, p: &[Approx], keys: &[usize], kv_head: usize) -> Vec<Approx> {
        let shape = self.shape;
        let value = |j: usize, d: usize| self.value[head(shape, j, shape.kv_heads, kv_head)][d];
        (0..shape.head_dim).map(|d| dot(p.iter().zip(keys).map(|(p, j)| (self.operand(*p), value(*j, d))))).collect()
    }

    fn reference(&self) -> Vec<Approx> {
        let mut out = Vec::new();
        for_queries(self.shape, |row, keys, query_head, kv_head| {
            let p = self.probabilities(row, keys, query_head, kv_head);
            out.extend(self.output(&p, keys, kv_head));
        });
        out
    }

    /// `dV_j += P_j dO`, `dS_j = scale P_j (dO . V_j - dO . O)`, `dQ += dS_j K_j`, `dK_j += dS_j Q`.
    fn reference_backward(&self, dout: &[Approx]) -> [Vec<Approx>; 3] {
        let (shape, scale) = (self.shape, self.scale());
        let mut dquery = vec![Sum::default(); self.query.len()];
        let [mut dkey, mut dvalue] = [(); 2].map(|()| vec![Sum::default(); self.key.len()]);
        for_queries(shape, |row, keys, query_head, kv_head| {
            let at = head(shape, row, shape.heads, query_head);
            let (query, dout) = (&self.query[at.clone()], &dout[at.clone()]);
            let p = self.probabilities(row, keys, query_head, kv_head);
            let out = self.output(&p, keys, kv_head);
            let mean = dot(dout.iter().copied().zip(out));
            for (p, j) in p.iter().zip(keys) {
                let from = head(shape, *j, shape.kv_heads, kv_head);
                let dp = dot(dout.iter().copied().zip(self.value[from.clone()].iter().copied()));
                let (p, ds) = (self.operand(*p), self.operand(*p * (dp - mean) * scale));
                for d in 0..shape.head_dim {
                    dvalue[from.start + d].add(p * dout[d]);
                    dkey[from.start + d].add(ds * query[d]);
                    dquery[at.start + d].add(ds * self.key[from.start + d]);
                }
            }
        });
        [dquery, dkey, dvalue].map(|sums| sums.iter().map(Sum::total).collect())
    }
}

/// Lengths of segments, and what they continue.
#[derive(Default)]
struct Segments {
    lengths: Vec<usize>,
    parents: Vec<Option<usize>>,
}

impl Segments {
    fn push(&mut self, length: usize, parent: Option<usize>) {
        self.lengths.push(length);
        self.parents.push(parent);
    }

    /// Most keys of a sequence.
    fn longest(&self) -> usize {
        let before = |parent: &Option<usize>| parent.map_or(0, |parent| self.lengths[parent]);
        let all = self.lengths.iter().enumerate().map(|(i, n)| n + self.parents.get(i).map_or(0, before));
        all.max().unwrap_or(0)
    }
}

/// What a case owns.
struct Drawn {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    window: Option<usize>,
    precision: Precision,
    offsets: Vec<usize>,
    parents: Vec<Option<usize>>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
}

impl Drawn {
    fn new(case: &mut Case, precision: Precision) -> Self {
        let long = case.index % 16 == 15;
        let group = if long { 1 + case.below(2) } else { 1 + case.below(8) };
        let kv_heads = if long { 1 } else { case.choose(&[1, 1, 2, 3, 4]) };
        let head_dim = if long { 2 * case.size(3) } else { 2 * case.size(64) };
        let heads = group * kv_heads;
        let mut segments = Segments::default();
        if long {
            segments.push(1500 + case.below(1000), None);
            segments.push(case.below(4), Some(0));
            segments.push(case.below(40), Some(0));
        } else {
            let (shared, mut left) = (case.once_in(2), MOST / (heads * head_dim));
            for index in 0..case.below(if shared { 12 } else { 7 }) {
                let length = case.rows(if shared { 65 } else { 130 });
                let roots: Vec<usize> = (0..index).filter(|i| segments.parents[*i].is_none()).collect();
                let parent = (shared && index > 0 && !case.once_in(2)).then(|| case.choose(&roots));
                let keys = length * (length + 1) / 2 + length * parent.map_or(0, |parent| segments.lengths[parent]);
                let fits = keys <= left;
                left -= if fits { keys } else { 0 };
                segments.push(if fits { length } else { 0 }, parent);
            }
            if !shared && case.once_in(2) {
                segments.parents.clear();
            }
        }
        let longest = segments.longest();
        let Segments { lengths, parents } = segments;
        let window = match case.below(10) {
            0 => Some(1),
            1 => Some(2),
            2 => Some(longest.max(1)),
            3 => Some(longest + 1 + case.below(9)),
            4 | 5 => Some(case.size(longest)),
            _ => None,
        };
        let mut offsets = vec![0];
        for length in &lengths {
            offsets.push(offsets[offsets.len() - 1] + length);
        }
        let t = offsets[lengths.len()];
        case.describe(format!(
            "heads={heads} kv_heads={kv_heads} head_dim={head_dim} window={window:?} segments={lengths:?} parents={parents:?} products={precision}"
        ));
        let query = case.values(t * heads * head_dim);
        let (key, value) = (case.values(t * kv_heads * head_dim), case.values(t * kv_heads * head_dim));
        Drawn { heads, kv_heads, head_dim, window, precision, offsets, parents, query, key, value }
    }

    fn shape(&self) -> AttentionShape<'_> {
        let Drawn { heads, kv_heads, head_dim, window, precision, .. } = *self;
        AttentionShape { heads, kv_heads, head_dim, window, offsets: &self.offsets, parents: &self.parents, precision }
    }

    fn dims(&self) -> [[usize; 3]; 2] {
        let t = self.offsets[self.offsets.len() - 1];
        [[t, self.heads, self.head_dim], [t, self.kv_heads, self.head_dim]]
    }
}

/// Inputs as products may read them.
fn read(values: &[f32], precision: Precision) -> Vec<Approx> {
    let values = exact(values);
    match precision {
        Precision::F32 => values,
        Precision::Bf16 => values.iter().map(|x| Approx::hull(*x, x.to_bf16())).collect(),
    }
}

pub fn forward(device: &dyn Device, case: &mut Case, precision: Precision) {
    let drawn = Drawn::new(case, precision);
    let (shape, [dims, _]) = (drawn.shape(), drawn.dims());
    let [query, key, value] = [&drawn.query, &drawn.key, &drawn.value].map(|x| read(x, precision));
    let expected = Inputs { shape: &shape, query: &query, key: &key, value: &value }.reference();
    case.check("y", &dims, &device.attention(&shape, &drawn.query, &drawn.key, &drawn.value), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case, precision: Precision) {
    let drawn = Drawn::new(case, precision);
    let (shape, [dims, kv_dims]) = (drawn.shape(), drawn.dims());
    let kind = case.choose(&[Kind::Normal, Kind::Normal, Kind::Normal, Kind::Zero, Kind::Scales, Kind::Sparse]);
    let dy = case.values_of(kind, drawn.query.len());
    let [query, key, value] = [&drawn.query, &drawn.key, &drawn.value].map(|x| read(x, precision));
    let inputs = Inputs { shape: &shape, query: &query, key: &key, value: &value };
    let [dquery, dkey, dvalue] = inputs.reference_backward(&read(&dy, precision));
    let found = device.attention_backward(&shape, &drawn.query, &drawn.key, &drawn.value, &dy);
    case.check("dquery", &dims, &found.dquery, &dquery);
    case.check("dkey", &kv_dims, &found.dkey, &dkey);
    case.check("dvalue", &kv_dims, &found.dvalue, &dvalue);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    fn gradient(window: Option<usize>, parents: &[Option<usize>]) {
        let precision = Precision::F32;
        let shape =
            AttentionShape { heads: 4, kv_heads: 2, head_dim: 2, window, offsets: &[0, 4, 4, 7], parents, precision };
        let (q, k, v, dy) = (random(56, 1), random(28, 2), random(28, 3), random(56, 4));
        let inputs = |query: &[Approx], key: &[Approx], value: &[Approx]| {
            dot(&Inputs { shape: &shape, query, key, value }.reference(), &dy)
        };
        let [dq, dk, dv] = Inputs { shape: &shape, query: &q, key: &k, value: &v }.reference_backward(&dy);
        check("dq", &q, &dq, |q| inputs(q, &k, &v));
        check("dk", &k, &dk, |k| inputs(&q, k, &v));
        check("dv", &v, &dv, |v| inputs(&q, &k, v));
    }

    #[test]
    fn gradients() {
        gradient(None, &[]);
        gradient(Some(2), &[]);
        gradient(None, &[None, None, Some(0)]);
        gradient(Some(3), &[None, Some(0), Some(0)]);
    }

    #[test]
    fn keys_seen() {
        let offsets = &[0, 3, 3, 6];
        let precision = Precision::F32;
        let shape =
            AttentionShape { heads: 1, kv_heads: 1, head_dim: 2, window: Some(2), offsets, parents: &[], precision };
        assert_eq!(seen(&shape, 0, 2), [1, 2]);
        assert_eq!(seen(&shape, 2, 3), [3]);
        assert_eq!(seen(&AttentionShape { window: None, ..shape.clone() }, 2, 5), [3, 4, 5]);
        let parents = &[None, None, Some(0)];
        assert_eq!(seen(&AttentionShape { window: None, parents, ..shape.clone() }, 2, 4), [0, 1, 2, 3, 4]);
        assert_eq!(seen(&AttentionShape { parents, ..shape }, 2, 3), [2, 3]);
    }
}
