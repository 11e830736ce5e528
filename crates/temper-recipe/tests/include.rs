//! Suite files: built-in ones and files, taken in by `include`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use temper_recipe::{BUILT_IN, Recipe, Reducer, SuiteFile};

const RECIPE: &str = "name: r\nmodel: {path: \"lab:base\"}\ndata: {train: {path: \"lab:problems\"}}\n\
    arms: {main: {stages: [sft: {data: train}]}}\n";

fn parse(include: &str, overrides: &[&str]) -> Result<Recipe, String> {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    Recipe::parse(&format!("{RECIPE}{include}"), "dir/r.yaml", &overrides, &[]).map_err(|error| error.to_string())
}

#[test]
fn every_built_in_suite_is_a_recipe_s() {
    for file in BUILT_IN {
        let loaded = SuiteFile::load(file.name, Path::new("")).unwrap();
        assert_eq!(loaded.name, file.name);
        assert!(!loaded.suites.is_empty() && !loaded.description.is_empty());
        for (name, suite) in &loaded.suites {
            let lab = suite.data.path.starts_with("lab:");
            assert_eq!(lab, file.name.starts_with("lab:"), "{name}");
            assert_eq!(lab, name.starts_with("lab_"), "{name}");
            assert!(lab || suite.data.about.as_deref().is_some_and(|about| about.contains("https://")), "{name}");
            assert!(suite.title.is_some(), "{name}");
        }
        let recipe = Recipe::of_suites("lab:base", &[file.name.to_owned()], &[], &[]).unwrap();
        assert_eq!(recipe.suites, loaded.suites);
    }
    // All of them beside each other.
    let all: Vec<String> = BUILT_IN.iter().map(|file| file.name.to_owned()).collect();
    let recipe = Recipe::of_suites("lab:base", &all, &[], &[]).unwrap();
    let suites: usize = BUILT_IN.iter().map(|f| SuiteFile::load(f.name, Path::new("")).unwrap().suites.len()).sum();
    assert_eq!(recipe.suites.len(), suites);
    recipe.validate(&[]).unwrap();
}

#[test]
fn what_is_included_is_written_out_and_can_be_overridden() {
    let recipe = parse("include: [reasoning, \"lab:harmless\"]", &["suites.gsm8k.data.rows=50"]).unwrap();
    assert!(recipe.include.is_empty());
    assert_eq!(recipe.suites["gsm8k"].data.rows, Some(50));
    assert_eq!(recipe.suites["gsm8k"].reducers, [Reducer::Mean, Reducer::Majority, Reducer::Pass(4), Reducer::All(4)]);
    assert!(recipe.suites.contains_key("lab_harmful") && recipe.scorers.contains_key("language_answer"));
    let again = Recipe::parse(&recipe.to_yaml(), "again", &[], &[]).unwrap();
    assert_eq!(again, recipe);
    let set = parse("", &["include=[language]", "suites.language_monolingual.repeats=2"]).unwrap();
    assert_eq!(set.suites["language_monolingual"].repeats, 2);
}

#[test]
fn a_file_lies_beside_the_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("r.yaml");
    std::fs::write(&recipe, format!("{RECIPE}include: [./mine.yaml, sub/other.yaml]\n")).unwrap();
    let mine = "name: mine\nscorers: {s: {type: language, part: answer}}\nsuites:\n  a: {data: {path: x.jsonl}, scorers: [s]}\n\
                gates:\n  - {suite: a, metric: s, at_least: 0.5}\n";
    std::fs::write(folder.path().join("mine.yaml"), mine).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    // The same gate and suite once more do no harm.
    std::fs::write(folder.path().join("sub/other.yaml"), mine).unwrap();
    let loaded = Recipe::load(&recipe, &[]).unwrap();
    assert_eq!((loaded.suites.len(), loaded.gates.len(), loaded.scorers.len()), (1, 1, 1));

    // What the command line adds comes beside what the recipe names.
    let more = Recipe::load_including(&recipe, &["language".to_owned()], &[], &[]).unwrap();
    assert_eq!((more.suites.len(), more.include.len()), (3, 0));
    assert!(loaded.to_yaml().contains("include: []"));

    std::fs::write(folder.path().join("sub/other.yaml"), mine.replace("x.jsonl", "y.jsonl")).unwrap();
    let error = Recipe::load(&recipe, &[]).unwrap_err().to_string();
    let place = |file: &str| folder.path().join(file).display().to_string();
    let (one, other) = (place("./mine.yaml"), place("sub/other.yaml"));
    assert!(error.contains(&format!("suites.a: {one}:4:3 and {other}:4:3 both say what `a` is")), "{error}");

    // A mistake in a file is told with the file's line.
    std::fs::write(folder.path().join("sub/other.yaml"), mine.replace("at_least", "atleast")).unwrap();
    let error = Recipe::load(&recipe, &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{other}:6:")) && error.contains("did you mean `at_least`?"), "{error}");
    std::fs::write(folder.path().join("sub/other.yaml"), mine.replace("suite: a", "suite: b")).unwrap();
    let error = Recipe::load(&recipe, &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{other}:6:")) && error.contains("unknown suite `b`"), "{error}");
}

#[test]
fn a_name_that_is_not_known_is_told_with_those_that_are() {
    let error = parse("include: [reasonin]", &[]).unwrap_err();
    assert!(error.starts_with("dir/r.yaml:5:11: include: `reasonin`: unknown suite file `reasonin`"), "{error}");
    assert!(error.contains("did you mean `reasoning`?") && error.contains("lab:reasoning"), "{error}");
    let error = parse("include: [./mine.yaml]", &[]).unwrap_err();
    assert!(error.contains("cannot read dir/./mine.yaml") && error.contains("relative to the recipe"), "{error}");
    let error = parse("include: reasoning", &[]).unwrap_err();
    assert!(error.contains("include: expected a list"), "{error}");
    let clash = "include: [reasoning]\nscorers: {language_answer: {type: language, part: whole}}";
    let error = parse(clash, &[]).unwrap_err();
    assert!(
        error.contains("dir/r.yaml:6:11 and suite reasoning:8:3 both say what `language_answer` is, and they differ"),
        "{error}"
    );
}

#[test]
fn the_firewall_sees_included_gates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("g.yaml");
    std::fs::write(&file, "name: g\nsuites: {a: {data: {path: \"lab:eval/familiar\"}, scorers: [accuracy]}}\ngates: [{suite: a, metric: accuracy, at_least: 0.5}]\n").unwrap();
    let grpo = "name: r\nmodel: {path: \"lab:base\"}\ndata: {train: {path: \"lab:problems\"}}\n\
        arms: {main: {stages: [grpo: {data: train, rewards: [accuracy], max_steps: 1}]}}\n";
    let text = format!("{grpo}include: [{}]", file.display());
    let error = Recipe::parse(&text, "r.yaml", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("What trained a model cannot be what passes it"), "{error}");
    assert!(error.starts_with(&file.display().to_string()), "{error}");
}

#[test]
fn reducers_are_held_against_the_repeats() {
    let suite = |more: &str| parse(&format!("suites: {{a: {{data: {{path: x}}, scorers: [accuracy], {more}}}}}"), &[]);
    let error = suite("repeats: 2, reducers: [mean, pass@4]").unwrap_err();
    assert!(
        error.contains(
            "suites.a.reducers[1]: `pass@4` needs 4 completions of an item, and `repeats` is 2; set `suites.a.repeats` to 4 or more"
        ),
        "{error}"
    );
    assert!(suite("repeats: 4, reducers: [mean, mean]").unwrap_err().contains("`mean` is listed twice"));
    assert!(suite("repeats: 4, reducers: [worst@4, pass^2, majority]").is_ok());
    assert!(suite("repeats: 4, reducers: [median]").is_err());
}

#[test]
fn training_and_suites_have_different_variants() {
    let recipe = |trained: &str, measured: &str| {
        let text = format!(
            "name: r\nmodel: {{path: \"lab:base\"}}\ndata: {{train: {{path: a.jsonl, transform: {trained}}}}}\n\
             arms: {{main: {{stages: [sft: {{data: train}}]}}}}\n\
             suites: {{s: {{data: {{path: b.jsonl, transform: {measured}}}, scorers: [accuracy]}}}}\n"
        );
        Recipe::parse(&text, "r.yaml", &[], &[]).map_err(|error| error.to_string())
    };
    let seen = "{families: [rot13, base64], side: seen}";
    recipe(seen, "{families: [base64], side: held_out}").unwrap();
    recipe(seen, "{families: [jailbreak], side: seen}").unwrap();
    for side in ["seen", "all"] {
        let error = recipe(seen, &format!("{{families: [base64], side: {side}}}")).unwrap_err();
        assert!(error.contains("suites.s.data.transform.side: the suite has the"), "{error}");
        assert!(error.contains("`base64`") && error.contains("allow_trained: true"), "{error}");
    }
    recipe(seen, "{families: [base64], side: seen, allow_trained: true}").unwrap();
    let twice = recipe(seen, "{families: [rot13, rot13], side: held_out}").unwrap_err();
    assert!(twice.contains("suites.s.data.transform.families[1]: `rot13` is listed twice"), "{twice}");
    assert!(recipe(seen, "{families: []}").is_err() && recipe(seen, "{families: [rot14]}").is_err());
}
