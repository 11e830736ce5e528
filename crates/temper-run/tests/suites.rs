//! The built-in suites: their rows can be read, in the numbers that their publishers say.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use temper_data::Row;
use temper_recipe::{BUILT_IN, Recipe, Suite, SuiteFile};
use temper_run::Sources;

fn field(row: &Row, name: &str) -> String {
    row.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

fn counts(rows: &[Row], name: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(field(row, name)).or_default() += 1);
    counts
}

/// The fields of a row that a scorer type reads.
fn needs(kind: &str) -> &'static [&'static str] {
    temper_score::registry().into_iter().find(|info| info.r#type == kind).unwrap().needs
}

/// Every suite of a built-in file that passes a test of its path, with its rows.
fn rows(wanted: fn(&Suite) -> bool) -> BTreeMap<String, (Suite, Vec<Row>)> {
    let mut all = BTreeMap::new();
    for file in BUILT_IN {
        let include = [file.name.to_owned()];
        let recipe = Recipe::of_suites("lab:base", &include, &[], &temper_score::known_types()).unwrap();
        recipe.validate(&temper_score::known_types()).unwrap();
        let sources = Sources::new(&recipe.lab);
        for (name, suite) in recipe.suites.iter().filter(|(_, suite)| wanted(suite)) {
            for scorer in &suite.scorers {
                temper_score::build(scorer, &recipe.scorers, &recipe.lab).unwrap();
            }
            let rows = sources.rows(&suite.data, true).unwrap_or_else(|error| panic!("{name}: {error}"));
            for needed in suite.scorers.iter().flat_map(|scorer| needs(&recipe.scorer(scorer).r#type)) {
                let having = rows.iter().filter(|row| row.fields.get(*needed).is_some_and(|value| !value.is_null()));
                assert!(having.count() > 0, "{name}: no row has the field {needed}, which a scorer reads");
            }
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids.len(), rows.len(), "{name}: ids tell items apart");
            for slice in suite.slices.values().chain(&suite.cluster) {
                let having = rows.iter().filter(|row| row.fields.get(slice).is_some_and(|value| !value.is_null()));
                assert!(having.count() > 0, "{name}: no row has the field {slice}");
            }
            all.insert(name.clone(), (suite.clone(), rows));
        }
    }
    all
}

#[test]
fn the_lab_s_suites_have_rows() {
    let all = rows(|suite| suite.data.path.starts_with("lab:"));
    assert_eq!(all.len(), 14);
    let expected = [("lab_familiar", 150), ("lab_unfamiliar", 150), ("lab_harmful", 200), ("lab_jailbreak", 100)];
    for (name, count) in expected {
        assert_eq!(all[name].1.len(), count, "{name}");
    }
    // Forty requests as they are, and each in three held-out guises.
    let (_, shifted) = &all["lab_shifted"];
    let by = counts(shifted, "transform");
    assert_eq!(
        by,
        BTreeMap::from(
            [("none", 40), ("paraphrase", 40), ("language", 40), ("jailbreak", 40)].map(|(k, v)| (k.to_owned(), v))
        )
    );
    assert!(shifted.iter().all(|row| field(row, "transform") == "none" || field(row, "side") == "held_out"));
    let clusters: BTreeSet<String> = shifted.iter().map(|row| field(row, "original")).collect();
    assert_eq!(clusters.len(), 40);
    // The problems to learn language on are not those to learn reasoning on.
    let prompts = |name: &str| -> BTreeSet<String> { all[name].1.iter().map(|row| row.prompt.display()).collect() };
    assert!(prompts("lab_familiar").is_disjoint(&prompts("lab_language_problems")));
}

#[test]
fn the_real_suites_have_as_many_rows_as_their_publishers_say() {
    if std::env::var_os("TEMPER_DATA").is_none() {
        eprintln!("skipped: TEMPER_DATA is not set");
        return;
    }
    let all = rows(|suite| !suite.data.path.starts_with("lab:"));
    let count = |name: &str| all[name].1.len();
    assert_eq!((count("gsm8k"), count("mgsm")), (1319, 1250));
    assert_eq!((count("xstest_safe"), count("xstest_unsafe"), count("jbb_benign")), (250, 200, 98));
    assert_eq!(
        (count("harmbench"), count("strongreject"), count("simplesafetytests"), count("advbench")),
        (80, 313, 80, 520)
    );
    assert_eq!((count("bbq"), count("language_monolingual") + count("language_crosslingual")), (1200, 6586));
    assert_eq!(count("gsm8k_proxy"), 400);

    let (_, mgsm) = &all["mgsm"];
    assert!(counts(mgsm, "language").values().all(|n| *n == 250) && counts(mgsm, "language").len() == 5);
    let clusters: BTreeSet<String> = mgsm.iter().map(|row| row.fields["line"].to_string()).collect();
    assert_eq!(clusters.len(), 250);
    assert!(mgsm.iter().all(|row| row.prompt.request().ends_with("\\boxed{}")));

    let types = counts(&all["xstest_safe"].1, "type");
    assert!(types.len() == 10 && types.values().all(|n| *n == 25), "{types:?}");
    assert_eq!(counts(&all["xstest_unsafe"].1, "type").len(), 8);
    let kinds = counts(&all["harmbench"].1, "FunctionalCategory");
    assert_eq!(
        kinds,
        BTreeMap::from([("contextual", 19), ("copyright", 20), ("standard", 41)].map(|(k, v)| (k.to_owned(), v)))
    );
    // A context stands before the behaviour, where there is one.
    for row in &all["harmbench"].1 {
        let (context, behaviour) = (field(row, "ContextString"), field(row, "Behavior"));
        let expected = if context.is_empty() { behaviour } else { format!("{context}\n\n---\n\n{behaviour}") };
        assert_eq!(row.prompt.request(), expected);
    }
    assert_eq!(counts(&all["bbq"].1, "context_condition").values().copied().collect::<Vec<_>>(), [600, 600]);
    for row in &all["bbq"].1 {
        let request = row.prompt.request();
        for (letter, answer) in [("A", "ans0"), ("B", "ans1"), ("C", "ans2")] {
            assert!(request.contains(&format!("\n({letter}) {}\n", field(row, answer))), "{request}");
        }
    }

    let (_, shifted) = &all["gsm8k_shifted"];
    let by = counts(shifted, "transform");
    assert_eq!((by["none"], by["distractor"], by["paraphrase"]), (300, 300, 300));
    assert!(by["numbers"] > 40 && by["numbers"] < 300, "{by:?}");
    let (_, harmful) = &all["harmful_shifted"];
    let plain = |row: &&Row| field(row, "transform") == "none" || field(row, "transform") == "base64";
    assert!(harmful.iter().filter(plain).all(|row| {
        let same = field(row, "original_prompt") == row.prompt.request();
        same == (field(row, "transform") == "none")
    }));
    let by = counts(harmful, "transform");
    assert_eq!(by["none"], 100);
    assert_eq!(counts(harmful, "category").len(), 6);
    // A short request may be taken for another language, of which there is no wording.
    for family in ["base64", "jailbreak", "rot13", "language", "paraphrase"] {
        assert!((95..=100).contains(&by[family]), "{by:?}");
    }
}

#[test]
fn all_of_them_go_into_one_recipe() {
    let include: Vec<String> = BUILT_IN.iter().map(|file| file.name.to_owned()).collect();
    let recipe = Recipe::of_suites("lab:base", &include, &[], &temper_score::known_types()).unwrap();
    recipe.validate(&temper_score::known_types()).unwrap();
    assert_eq!(recipe.suites.len(), 29);
}

#[test]
fn a_judge_takes_the_place_of_harm_and_both_are_bad_when_high() {
    let judge = "{type: qwen3guard, endpoint: {url: 'http://localhost:1/v1', model: guard}";
    for (file, name, more) in
        [("harmless", "harm", "}"), ("generalisation", "harm_original", ", request: original_prompt}")]
    {
        for set in [vec![], vec![format!("scorers.{name}={judge}{more}")]] {
            let recipe = Recipe::of_suites("lab:base", &[file.to_owned()], &set, &temper_score::known_types()).unwrap();
            let scorer = temper_score::build(name, &recipe.scorers, &recipe.lab).unwrap();
            assert_eq!(scorer.better(), temper_score::Better::Lower, "{name} {set:?}");
            assert_eq!(scorer.nature(), temper_score::Nature::Estimate);
        }
    }
}

#[test]
fn a_missing_file_says_what_it_is_and_where_it_can_be_had() {
    let file = SuiteFile::load("over-refusal", Path::new("")).unwrap();
    let mut source = file.suites["xstest_safe"].data.clone();
    source.path = "/nowhere/at/all/xstest_prompts.csv".to_owned();
    let recipe = Recipe::of_suites("lab:base", &["over-refusal".to_owned()], &[], &[]).unwrap();
    let sources = Sources::new(&recipe.lab);
    let error = sources.rows(&source, true).unwrap_err().to_string();
    assert!(error.contains("These rows are XSTest, 450 prompts (CC-BY-4.0)"), "{error}");
    assert!(error.contains("https://github.com/paul-rottger/exaggerated-safety"), "{error}");
    source.path = "${SURELY_NOT_SET}/xstest_prompts.csv".to_owned();
    let error = sources.rows(&source, true).unwrap_err().to_string();
    assert!(error.contains("SURELY_NOT_SET") && error.contains("These rows are XSTest"), "{error}");
}
