//! Right answers beside Math-Verify's: pairs of a reference and a completion, made by `tools/fixtures/math_verify.py`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use temper_data::Row;
use temper_recipe::{Lab, ScorerSpec};
use temper_score::{Sample, Score, build};
use temper_text::Prompt;

#[derive(Deserialize)]
struct Fixture {
    versions: BTreeMap<String, String>,
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    category: String,
    half: String,
    reference: String,
    completion: String,
    /// Whether a reader takes the completion for right; `None` where that is a matter of taste.
    right: Option<bool>,
    /// What Math-Verify says; `None` where it cannot parse the reference.
    math_verify: Option<bool>,
}

/// Where the two differ on purpose: why, and the references and completions.
const ON_PURPOSE: &[(&str, &[(&str, &str)])] = &[
    (
        "Math-Verify drops the units, whatever they are",
        &[
            (r"100 \text{ kg}", r"\boxed{100 \text{ g}}"),
            (r"3 \text{ hours}", r"\boxed{3 \text{ minutes}}"),
            (r"5 \text{ m}", r"\boxed{5 \text{ km}}"),
        ],
    ),
    ("units that are typed, not marked as text", &[(r"25 \text{ cm}^2", r"\boxed{25 cm^2}")]),
    (
        "currencies other than the dollar, and dollars after a sentence",
        &[("20", r"\boxed{20€}"), ("20", r"\boxed{£20}"), ("18", r"The final answer is \$18.")],
    ),
    (
        "numbers in other notations",
        &[
            ("100", r"\boxed{1e2}"),
            ("6.02e23", r"\boxed{6.02 \times 10^{23}}"),
            ("0.5", r"\boxed{0,5}"),
            (r"0.\overline{3}", r"\boxed{\frac{1}{3}}"),
            ("100000", r"\boxed{1,00,000}"),
            ("12345", r"\boxed{12\,345}"),
            ("70000", r"\boxed{70 000}"),
            (r"33\frac{1}{3}\%", r"\boxed{\frac{1}{3}}"),
        ],
    ),
    ("small numbers in words", &[("12", r"\boxed{\text{twelve}}"), ("4", r"\boxed{four}")]),
    (
        "characters that have a spelling in LaTeX",
        &[
            ("12", r"\boxed{１２}"),
            (r"3 \pm \sqrt{2}", r"\boxed{3 ± √2}"),
            ("90", r"\boxed{90°}"),
            (r"\frac{1}{2}", r"\boxed{½}"),
            (r"\infty", r"\boxed{∞}"),
            (r"\sqrt{2}", r"\boxed{√2}"),
            ("x^2", r"\boxed{x²}"),
        ],
    ),
    (
        "imaginary numbers",
        &[
            ("(1+i)^2", r"\boxed{2i}"),
            ("-1", r"\boxed{i^2}"),
            ("2i", r"\boxed{\sqrt{-4}}"),
            (r"\frac{1}{i}", r"\boxed{-i}"),
        ],
    ),
    ("a chain of inequalities turned round", &[("1 < x < 2", r"\boxed{2 > x > 1}")]),
    (
        "degrees in a sine, a root without braces, the other sign of the empty set",
        &[
            (r"\frac{1}{2}", r"\boxed{\sin(30^\circ)}"),
            (r"\sqrt{13}", r"\boxed{\sqrt 13}"),
            (r"\emptyset", r"\boxed{\varnothing}"),
        ],
    ),
    ("punctuation in the box", &[("5", r"\boxed{5,}"), ("5", r"\boxed{5...}"), ("E", r"\boxed{E.}")]),
    (
        "the last box counts, unless `and`, `or` or a comma joins it to those before it",
        &[("2", r"First \boxed{1}. Then \boxed{2}."), ("3", r"\boxed{2}? No: \boxed{3}")],
    ),
    ("marked mathematics counts before a later number", &[("5", "We conclude that $x = 4$, not 5.")]),
];

/// What stays open.
const UNSCORED: &[(&str, &str)] = &[("5", r"\boxed{\frac{5}{}}")];

/// Pairs of one category and half: all, agreed with Math-Verify, not agreed, unscored; scored against the reader, and the
/// same of Math-Verify.
#[derive(Default, Clone, Copy)]
struct Counts([usize; 6]);

impl Counts {
    fn add(&mut self, pair: &Pair, ours: Option<bool>) {
        let against = |verdict: Option<bool>| verdict.is_some() && pair.right.is_some() && verdict != pair.right;
        let cells = [
            true,
            ours.is_some() && ours == pair.math_verify,
            ours.is_some() && ours != pair.math_verify,
            ours.is_none(),
            against(ours),
            against(pair.math_verify),
        ];
        for (count, cell) in self.0.iter_mut().zip(cells) {
            *count += usize::from(cell);
        }
    }

    fn cells(self) -> String {
        self.0.map(|count| format!("{count:>8}")).concat()
    }
}

#[test]
fn right_answers() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/math_verify.json")).unwrap();
    let spec =
        ScorerSpec { r#type: "accuracy".to_owned(), params: json!({"extract": "any"}).as_object().unwrap().clone() };
    let scorer = build("accuracy", &[("accuracy".to_owned(), spec)].into_iter().collect(), &Lab::default()).unwrap();
    let mut table: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
    let (mut different, mut unscored, mut against) = (Vec::new(), Vec::new(), Vec::new());
    for pair in &fixture.pairs {
        let row = Row {
            id: "1".to_owned(),
            prompt: Prompt::user("?"),
            fields: json!({"answer": pair.reference}).as_object().unwrap().clone(),
            ..Row::default()
        };
        let judged = scorer.judge(&[Sample::new(&row, &pair.completion, 1, false)]).pop().unwrap();
        let ours = match judged.score {
            Score::Value(value) => Some(value == 1.0),
            Score::Unscored(_) => None,
            other => panic!("{}: {other:?}", pair.reference),
        };
        table.entry((&pair.half, &pair.category)).or_default().add(pair, ours);
        table.entry((&pair.half, "~ all")).or_default().add(pair, ours);
        let shown = (pair.reference.as_str(), pair.completion.as_str());
        if ours.is_none() {
            unscored.push(shown);
        } else if ours != pair.math_verify {
            different.push(shown);
        }
        if ours.is_some() && pair.right.is_some() && ours != pair.right {
            against.push((shown, ours));
        }
    }
    println!("{:?}, {} pairs", fixture.versions, fixture.pairs.len());
    println!("{:<22}{:<12}   pairs   agree differ unscored   we against reader   Math-Verify against reader", "", "");
    for ((half, category), counts) in &table {
        println!("{category:<22}{half:<12}{}", counts.cells());
    }
    println!("unscored:");
    unscored.iter().for_each(|(reference, completion)| println!("  {reference}   {completion}"));
    assert!(against.is_empty(), "scored against what a reader says: {against:#?}");
    let mut expected: Vec<(&str, &str)> = ON_PURPOSE.iter().flat_map(|(_, pairs)| *pairs).copied().collect();
    expected.sort_unstable();
    different.sort_unstable();
    assert_eq!(different, expected, "other than Math-Verify");
    assert_eq!(unscored, UNSCORED, "neither proven nor refuted");
}
