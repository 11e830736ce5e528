//! Devices with one fault each: the conformance suite finds it, and nothing else.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use temper_engine::conformance::{self, Problem};
use temper_engine::device::*;
use temper_engine::{Frozen, Precision, SamplingParams};

/// What is wrong with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// One element of a result of this method is off by a thousandth.
    OneElement(&'static str),
    /// This method returns one element too many.
    OneTooMany(&'static str),
    /// This method panics.
    Panic(&'static str),
    /// The last input of a weight is left out.
    LastInput,
    /// bf16 products are computed in f32.
    NoRounding,
    /// NF4 weights are held in 8 bits.
    WrongFormat,
    NoWindow,
    /// The window is one key wider.
    WideWindow,
    NoParents,
    /// Segments continue the first one, not theirs.
    WrongParent,
    /// Query head `h` reads key-value head `h % kv_heads`.
    InterleavedHeads,
    /// Dimension `2 i` is rotated with `2 i + 1`.
    AdjacentPairs,
    /// The transposed rotation is the rotation.
    RotatesForwards,
    /// The adapter's factor is applied twice to the gradient of `B`.
    ScaleTwice,
    /// The gradient of the entropy is left out.
    NoEntropy,
    /// Of equal logits the last is the most probable.
    LastOfEquals,
    /// The temperature is left out.
    NoTemperature,
    /// Weight decay goes to all tensors.
    DecaysAll,
    NoClipping,
    /// Moments are corrected as in the step before.
    LateCorrection,
    /// The norm leaves out the last element.
    ShortNorm,
    /// `top_p` leaves one token more than asked for.
    OneMoreToken,
}

struct Faulty(Fault);

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.0 == fault
    }

    /// Spoils a result of `method`.
    fn spoil(&self, method: &'static str, mut values: Vec<f32>) -> Vec<f32> {
        assert!(!self.is(Fault::Panic(method)), "out of memory");
        if self.is(Fault::OneTooMany(method)) {
            values.push(0.0);
        }
        if self.is(Fault::OneElement(method))
            && let Some(last) = values.last_mut()
        {
            *last += last.abs().max(1.0) / 1024.0;
        }
        values
    }

    fn precision(&self, precision: Precision) -> Precision {
        if self.is(Fault::NoRounding) { Precision::F32 } else { precision }
    }

    fn frozen(&self, frozen: Option<Frozen>) -> Option<Frozen> {
        match frozen {
            Some(Frozen::Nf4) if self.is(Fault::WrongFormat) => Some(Frozen::Int8),
            other => other,
        }
    }

    /// The shape of attention as the device misunderstands it.
    fn shape<'a>(&self, shape: &AttentionShape<'a>, wrong: &'a [Option<usize>]) -> AttentionShape<'a> {
        let mut shape = shape.clone();
        match self.0 {
            Fault::NoWindow => shape.window = None,
            Fault::WideWindow => shape.window = shape.window.map(|window| window + 1),
            Fault::NoParents => shape.parents = &[],
            Fault::WrongParent => shape.parents = wrong,
            _ => {}
        }
        shape
    }
}

/// Every parent replaced by the first segment.
fn wrong_parents(shape: &AttentionShape) -> Vec<Option<usize>> {
    shape.parents.iter().map(|parent| parent.map(|_| 0)).collect()
}

/// Key-value heads in the order that makes query head `h` read head `h % kv_heads`: one per query head.
fn interleaved(shape: &AttentionShape, rows: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| -> Vec<f32> {
        let heads = (0..shape.heads).map(|h| h % shape.kv_heads * shape.head_dim);
        heads.flat_map(|at| row[at..at + shape.head_dim].to_vec()).collect()
    };
    rows.chunks_exact(shape.kv_heads * shape.head_dim).flat_map(row).collect()
}

impl Device for Faulty {
    fn name(&self) -> String {
        format!("{:?}", self.0)
    }

    fn embedding(&self, table: &[f32], width: usize, ids: &[u32]) -> Vec<f32> {
        self.spoil("embedding", Cpu.embedding(table, width, ids))
    }

    fn embedding_backward(&self, vocab: usize, width: usize, ids: &[u32], dy: &[f32]) -> Vec<f32> {
        self.spoil("embedding_backward", Cpu.embedding_backward(vocab, width, ids, dy))
    }

    fn rmsnorm(&self, x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
        self.spoil("rmsnorm", Cpu.rmsnorm(x, weight, eps))
    }

    fn rmsnorm_backward(&self, x: &[f32], weight: &[f32], eps: f32, dy: &[f32]) -> NormGrads {
        let NormGrads { dx, dweight } = Cpu.rmsnorm_backward(x, weight, eps, dy);
        NormGrads { dx, dweight: self.spoil("rmsnorm_backward", dweight) }
    }

    fn rope(&self, x: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32> {
        if self.is(Fault::AdjacentPairs) {
            let half = table.head_dim / 2;
            let order = |i: usize| i / table.head_dim * table.head_dim + 2 * (i % half) + i % table.head_dim / half;
            let split: Vec<f32> = (0..x.len()).map(|i| x[order(i)]).collect();
            let rotated = Cpu.rope(&split, heads, table, positions);
            let mut y = vec![0.0; x.len()];
            (0..x.len()).for_each(|i| y[order(i)] = rotated[i]);
            return y;
        }
        self.spoil("rope", Cpu.rope(x, heads, table, positions))
    }

    fn rope_backward(&self, dy: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32> {
        if self.is(Fault::RotatesForwards) {
            return Cpu.rope(dy, heads, table, positions);
        }
        self.spoil("rope_backward", Cpu.rope_backward(dy, heads, table, positions))
    }

    fn linear(
        &self,
        x: &[f32],
        weight: &Matrix,
        bias: Option<&[f32]>,
        residual: Option<&[f32]>,
        precision: Precision,
    ) -> Vec<f32> {
        let mut values = weight.values.to_vec();
        if self.is(Fault::LastInput) {
            values.iter_mut().skip(weight.inputs - 1).step_by(weight.inputs).for_each(|w| *w = 0.0);
        }
        let weight = Matrix { values: &values, frozen: self.frozen(weight.frozen), ..*weight };
        self.spoil("linear", Cpu.linear(x, &weight, bias, residual, self.precision(precision)))
    }

    fn linear_backward_input(&self, dy: &[f32], weight: &Matrix, precision: Precision) -> Vec<f32> {
        self.spoil("linear_backward_input", Cpu.linear_backward_input(dy, weight, precision))
    }

    fn linear_backward_weight(
        &self,
        x: &[f32],
        inputs: usize,
        dy: &[f32],
        out: usize,
        precision: Precision,
    ) -> WeightGrads {
        let WeightGrads { dweight, dbias } = Cpu.linear_backward_weight(x, inputs, dy, out, precision);
        WeightGrads { dweight, dbias: self.spoil("linear_backward_weight", dbias) }
    }

    fn adapter(&self, x: &[f32], adapter: &LowRank, y: &[f32]) -> Vec<f32> {
        self.spoil("adapter", Cpu.adapter(x, adapter, y))
    }

    fn adapter_backward(&self, x: &[f32], adapter: &LowRank, dy: &[f32]) -> AdapterGrads {
        let mut grads = Cpu.adapter_backward(x, adapter, dy);
        if self.is(Fault::ScaleTwice) {
            grads.db.iter_mut().for_each(|db| *db *= adapter.scale);
        }
        AdapterGrads { da: self.spoil("adapter_backward", grads.da.clone()), ..grads }
    }

    fn attention(&self, shape: &AttentionShape, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
        if self.is(Fault::InterleavedHeads) {
            let wide = AttentionShape { kv_heads: shape.heads, ..shape.clone() };
            return Cpu.attention(&wide, query, &interleaved(shape, key), &interleaved(shape, value));
        }
        let wrong = wrong_parents(shape);
        self.spoil("attention", Cpu.attention(&self.shape(shape, &wrong), query, key, value))
    }

    fn attention_backward(
        &self,
        shape: &AttentionShape,
        query: &[f32],
        key: &[f32],
        value: &[f32],
        dy: &[f32],
    ) -> AttentionGrads {
        let wrong = wrong_parents(shape);
        let grads = Cpu.attention_backward(&self.shape(shape, &wrong), query, key, value, dy);
        AttentionGrads { dkey: self.spoil("attention_backward", grads.dkey.clone()), ..grads }
    }

    fn swiglu(&self, gate_up: &[f32], width: usize) -> Vec<f32> {
        self.spoil("swiglu", Cpu.swiglu(gate_up, width))
    }

    fn swiglu_backward(&self, gate_up: &[f32], width: usize, dy: &[f32]) -> Vec<f32> {
        self.spoil("swiglu_backward", Cpu.swiglu_backward(gate_up, width, dy))
    }

    fn head(&self, head: &HeadRows) -> HeadStats {
        let mut head = *head;
        if self.is(Fault::NoTemperature) {
            head.temperature = 1.0;
        }
        let mut stats = Cpu.head(&head);
        if self.is(Fault::LastOfEquals) {
            let (width, vocab) = (head.weight.inputs, head.weight.out);
            let rows = head.hidden.chunks_exact(width).zip(head.targets).zip(&mut stats.correct);
            for ((hidden, target), correct) in rows {
                let logits = Cpu.linear(hidden, head.weight, None, None, head.precision);
                let own = logits[*target as usize];
                *correct = (0..vocab).all(|v| logits[v] < own || (logits[v] == own && v <= *target as usize));
            }
        }
        stats.entropy = self.spoil("head", stats.entropy);
        stats
    }

    fn head_backward(&self, head: &HeadRows, dlogprobs: &[f32], dentropy: Option<&[f32]>) -> HeadGrads {
        let dentropy = dentropy.filter(|_| !self.is(Fault::NoEntropy));
        let grads = Cpu.head_backward(head, dlogprobs, dentropy);
        HeadGrads { dweight: self.spoil("head_backward", grads.dweight.clone()), ..grads }
    }

    fn adamw(&self, step: &AdamWStep, grads: &[f32], before: &AdamWState) -> AdamWState {
        let all: Vec<_> = step.tensors.iter().map(|(len, _)| (*len, true)).collect();
        let mut step = *step;
        match self.0 {
            Fault::DecaysAll => step.tensors = &all,
            Fault::NoClipping => step.max_grad_norm = None,
            Fault::LateCorrection => step.step += 1,
            _ => {}
        }
        let after = Cpu.adamw(&step, grads, before);
        AdamWState { params: self.spoil("adamw", after.params.clone()), ..after }
    }

    fn grad_norm(&self, grads: &[f32]) -> f64 {
        Cpu.grad_norm(if self.is(Fault::ShortNorm) { &grads[..grads.len().saturating_sub(1)] } else { grads })
    }

    fn draw(&self, logits: &[f32], params: &SamplingParams, u: f64) -> (u32, f32) {
        let mut params = params.clone();
        if self.is(Fault::OneMoreToken) && params.top_k > 0 {
            params.top_k += 1;
        }
        let (id, logprob) = Cpu.draw(logits, &params, u);
        (id, self.spoil("draw", vec![logprob])[0])
    }
}

/// Cases of an operation: without the long ones, which come every 16th.
const CASES: u64 = 15;

/// Operations in which the suite finds a fault, by method.
fn found(fault: Fault) -> BTreeSet<String> {
    let report = conformance::run(&Faulty(fault), CASES, 1);
    let method = |name: &str| name.split([' ', ',']).next().unwrap().to_owned();
    report.failed_operations().into_iter().map(method).collect()
}

fn assert_found(fault: Fault, methods: &[&str]) {
    let expected: BTreeSet<String> = methods.iter().map(|method| (*method).to_owned()).collect();
    assert_eq!(found(fault), expected, "{fault:?}");
}

const METHODS: [&str; 19] = [
    "embedding",
    "embedding_backward",
    "rmsnorm",
    "rmsnorm_backward",
    "rope",
    "rope_backward",
    "linear",
    "linear_backward_input",
    "linear_backward_weight",
    "adapter",
    "adapter_backward",
    "attention",
    "attention_backward",
    "swiglu",
    "swiglu_backward",
    "head",
    "head_backward",
    "adamw",
    "draw",
];

#[test]
fn one_wrong_element_in_any_operation() {
    for method in METHODS {
        assert_found(Fault::OneElement(method), &[method]);
    }
    assert_found(Fault::ShortNorm, &["grad_norm"]);
    let all: BTreeSet<_> = METHODS.into_iter().chain(["grad_norm"]).collect();
    let known: BTreeSet<_> = conformance::operations().map(|name| name.split([' ', ',']).next().unwrap()).collect();
    assert_eq!(all, known, "every operation is spoilt above");
}

#[test]
fn misunderstandings() {
    assert_found(Fault::LastInput, &["linear"]);
    assert_found(Fault::NoRounding, &["linear"]);
    assert_found(Fault::WrongFormat, &["linear"]);
    assert_found(Fault::NoWindow, &["attention", "attention_backward"]);
    assert_found(Fault::WideWindow, &["attention", "attention_backward"]);
    assert_found(Fault::NoParents, &["attention", "attention_backward"]);
    assert_found(Fault::WrongParent, &["attention", "attention_backward"]);
    assert_found(Fault::InterleavedHeads, &["attention"]);
    assert_found(Fault::AdjacentPairs, &["rope"]);
    assert_found(Fault::RotatesForwards, &["rope_backward"]);
    assert_found(Fault::ScaleTwice, &["adapter_backward"]);
    assert_found(Fault::NoEntropy, &["head_backward"]);
    assert_found(Fault::LastOfEquals, &["head"]);
    assert_found(Fault::NoTemperature, &["head"]);
    assert_found(Fault::DecaysAll, &["adamw"]);
    assert_found(Fault::NoClipping, &["adamw"]);
    assert_found(Fault::LateCorrection, &["adamw"]);
    assert_found(Fault::OneMoreToken, &["draw"]);
}

#[test]
fn a_number_format_that_is_not_kept_is_named() {
    let report = conformance::run(&Faulty(Fault::NoRounding), CASES, 0);
    let expected = ["linear in bf16", "linear, frozen int8", "linear, frozen nf4"];
    assert!(report.failed_operations().contains(&expected[0]), "{report}");
    assert!(!report.failed_operations().contains(&"linear"), "{report}");
    let report = conformance::run(&Faulty(Fault::WrongFormat), 8, 0);
    assert_eq!(report.failed_operations(), [expected[2]]);
}

#[test]
fn a_failure_says_where_and_can_be_reproduced() {
    let device = Faulty(Fault::OneElement("linear"));
    let report = conformance::run(&device, 8, 3);
    let failure = &report.failures[0];
    assert_eq!((failure.operation, failure.output, failure.seed), ("linear", "y", 3));
    let Problem::Value { element, found, expected, tolerance, outside } = &failure.problem else {
        panic!("{failure}");
    };
    assert_eq!((element.len(), *outside), (2, 1));
    assert!((found - expected).abs() > *tolerance);
    assert!(failure.to_string().contains("operation \"linear\", seed 3, case"), "{failure}");
    let again = conformance::reproduce(&device, failure.operation, failure.seed, failure.case).unwrap();
    assert_eq!(again, std::slice::from_ref(failure));
    assert_eq!(conformance::reproduce(&Cpu, failure.operation, failure.seed, failure.case).unwrap(), []);
    assert_eq!(conformance::reproduce(&Cpu, "convolution", 0, 0), None);
}

#[test]
fn wrong_lengths_and_panics_are_failures() {
    let report = conformance::run(&Faulty(Fault::OneTooMany("swiglu")), 4, 0);
    assert_eq!(report.failed_operations(), ["swiglu"]);
    assert!(matches!(report.failures[0].problem, Problem::Length { .. }));
    let report = conformance::run(&Faulty(Fault::Panic("swiglu")), 4, 0);
    assert_eq!(report.failed_operations(), ["swiglu"]);
    assert_eq!(report.failures[0].problem, Problem::Panic("out of memory".into()));
}
