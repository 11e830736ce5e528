//! The recipes and documents that come with Temper.

use std::fs;
use std::path::PathBuf;

use temper_recipe::{BaseStorage, Checkpointing, Dtype, Recipe, RewardRef, SingleStage, Stage, docs};

/// The scorer types that the shipped recipes use.
const SCORERS: [&str; 14] = [
    "accuracy",
    "format",
    "language",
    "difference",
    "lab_solved",
    "lab_unsafe",
    "lab_refusal",
    "lab_harmless",
    "lab_annotator",
    "gsm8k_strict",
    "gsm8k_flexible",
    "refusal",
    "truncated",
    "length",
];

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn load(path: &str, overrides: &[&str]) -> Result<Recipe, String> {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    Recipe::load_with(&root(path), &overrides, &SCORERS).map_err(|error| error.to_string())
}

#[test]
fn the_quickstart_is_a_good_recipe() {
    let recipe = load("recipes/quickstart.yaml", &[]).unwrap();
    let arms: Vec<&String> = recipe.arms.keys().collect();
    assert_eq!(arms, ["sft_only", "rl_only", "hybrid"]);
    let labels: Vec<String> = recipe.arms["hybrid"].stages.iter().enumerate().map(|(i, s)| s.folder(i)).collect();
    assert_eq!(labels, ["01-cold_start", "02-reasoning_rl", "03-rejection", "04-second_sft", "05-safety_rl"]);
    let Stage::Grpo(grpo) = &recipe.arms["hybrid"].stages[1] else { panic!() };
    assert_eq!(grpo.rewards[0], RewardRef::plain("accuracy"));
    assert_eq!(grpo.rewards[2].weight, 0.5);
    // An alias is the value it stands for.
    assert_eq!(recipe.suites["jailbreak"].sampling, recipe.suites["familiar"].sampling);
    let plan = recipe.plan();
    assert_eq!(plan.arms[2].stages[1].flops, Some(0.45 * plan.budget_flops.unwrap()));
    assert_eq!(plan.arms[2].stages[1].gates[..2], ["familiar/lab_solved", "harmful/lab_unsafe"]);
    assert!(plan.arms[2].stages[2].suites.is_empty());
    // The arms spend the same: each one's shares add up to its whole budget.
    for arm in &plan.arms {
        let shares: f64 = arm.stages.iter().map(|stage| stage.share.unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{}: {shares}", arm.name);
    }
}

#[test]
fn the_gsm8k_recipe_needs_a_model() {
    let error = load("recipes/gsm8k.yaml", &[]).unwrap_err();
    let wanted = "model.path: missing; give the base model with `--set model.path=DIR` (a Hugging Face model directory, or lab:base)";
    assert!(error.ends_with(wanted), "{error}");
    let recipe = load("recipes/gsm8k.yaml", &["model.path=models/small"]).unwrap();
    assert_eq!(recipe.model.path, "models/small");
    assert_eq!(recipe.data["worked"].columns.prompt.as_deref(), Some("question"));
    assert_eq!(recipe.suites["gsm8k"].data.template, recipe.data["worked"].template);
}

#[test]
fn what_is_written_is_what_was_read() {
    for (path, overrides) in [
        ("recipes/quickstart.yaml", vec![]),
        ("recipes/gsm8k.yaml", vec!["model.path=m"]),
        ("recipes/lora.yaml", vec![]),
    ] {
        let recipe = load(path, &overrides).unwrap();
        let again = Recipe::parse(&recipe.to_yaml(), "written", &[], &SCORERS).unwrap();
        assert_eq!(recipe, again);
        assert_eq!(recipe.digest(), again.digest());
        assert_eq!(recipe.to_yaml(), again.to_yaml());
        recipe.validate(&SCORERS).unwrap();
    }
}

#[test]
fn the_digest_is_about_the_run_only() {
    let plain = load("recipes/quickstart.yaml", &[]).unwrap();
    assert_eq!(plain.digest().len(), 64);
    assert_eq!(plain.digest(), load("recipes/quickstart.yaml", &["out=elsewhere"]).unwrap().digest());
    assert_ne!(plain.digest(), load("recipes/quickstart.yaml", &["seed=8"]).unwrap().digest());
    // A default written out is the default.
    assert_eq!(plain.digest(), load("recipes/quickstart.yaml", &["show_samples=4"]).unwrap().digest());
    let spelled = load("recipes/quickstart.yaml", &["arms.sft_only.stages.0.batch_size=16"]).unwrap();
    assert_eq!(plain.digest(), spelled.digest());
}

#[test]
fn a_single_stage_is_a_recipe() {
    let rewards = ["accuracy".to_string()];
    let overrides = ["learning_rate=0.5", "max_steps=3", "seed=9", "data.train.rows=7"].map(String::from);
    let single = SingleStage {
        name: "one",
        model: "m",
        data: "rows.jsonl",
        rewards: &rewards,
        overrides: &overrides,
        ..SingleStage::default()
    };
    let recipe = Recipe::single_grpo(&single).unwrap();
    let Stage::Grpo(grpo) = &recipe.arms["main"].stages[0] else { panic!() };
    assert_eq!((grpo.learning_rate, grpo.max_steps, recipe.seed), (0.5, Some(3), 9));
    assert_eq!(recipe.data["train"].rows, Some(7));
    let Stage::Sft(sft) = &Recipe::single_sft(&single).unwrap().arms["main"].stages[0] else { panic!() };
    assert_eq!(sft.learning_rate, 0.5);
    let wrong = ["leraning_rate=1".to_string()];
    let error = Recipe::single_sft(&SingleStage { overrides: &wrong, ..single.clone() }).unwrap_err().to_string();
    assert!(error.contains("unknown key; did you mean `learning_rate`?"), "{error}");
    let error = Recipe::single_sft(&SingleStage { model: "", overrides: &[], ..single }).unwrap_err().to_string();
    assert!(error.starts_with("temper sft: model.path: missing; give the base model with"), "{error}");
}

#[test]
fn adapters_and_memory_are_read() {
    let recipe = load("recipes/lora.yaml", &[]).unwrap();
    assert_eq!((recipe.dtype, recipe.memory_budget.as_deref()), (Dtype::Bf16, Some("1GiB")));
    let lora = |i: usize| recipe.arms["lora"].stages[i].lora().unwrap().clone();
    assert_eq!(lora(0).targets.names().len(), 7);
    assert_eq!((lora(1).targets.names(), lora(1).base), (vec!["q_proj", "v_proj"], BaseStorage::Nf4));
    // One name is a list of one, in the order of a layer.
    let set = |text: &str| load("recipes/lora.yaml", &[text]).unwrap();
    let one = set("arms.lora.stages.sft.lora.targets=k_proj");
    assert_eq!(one.arms["lora"].stages[0].lora().unwrap().targets.names(), ["k_proj"]);
    // What changes no result is not part of the digest.
    assert_eq!(set("memory_budget=8GiB").digest(), set("checkpointing=on").digest());
    assert_ne!(recipe.digest(), set("dtype=f32").digest());
    assert_ne!(recipe.digest(), set("micro_batch_tokens=256").digest());
    assert_ne!(recipe.digest(), set("arms.lora.stages.sft.lora.base=int8").digest());
    assert_eq!(set("checkpointing=off").checkpointing, Checkpointing::Off);
    // It survives being written out.
    let recipe = set("checkpointing=on");
    assert_eq!(recipe.checkpointing, Checkpointing::On);
    let again = Recipe::parse(&recipe.to_yaml(), "again", &[], &SCORERS).unwrap();
    assert_eq!(again, recipe);
}

#[test]
fn documents_are_current() {
    let remedy = "run `cargo run -p temper-recipe --example docs` in the root of the repository";
    assert!(fs::read_to_string(root("docs/recipe.schema.json")).unwrap() == docs::schema_file(), "{remedy}");
    assert!(fs::read_to_string(root("docs/suites.schema.json")).unwrap() == docs::suite_schema_file(), "{remedy}");
    let guide = fs::read_to_string(root("docs/recipe.md")).unwrap();
    assert!(docs::renew(&guide).unwrap() == guide, "{remedy}");
}

#[test]
fn the_guide_tells_the_truth() {
    let guide = fs::read_to_string(root("docs/recipe.md")).unwrap();
    let example = guide.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).unwrap();
    let recipe = Recipe::parse(example, "guide", &[], &SCORERS).unwrap();
    let overrides = guide.lines().filter_map(|line| line.strip_prefix("| `--set ")?.split_once("` |"));
    let overrides: Vec<String> = overrides.map(|(text, _)| text.trim_matches('\'').to_string()).collect();
    assert_eq!(overrides.len(), 6);
    for text in overrides {
        let changed = Recipe::parse(example, "guide", std::slice::from_ref(&text), &SCORERS).unwrap();
        assert_ne!(changed, recipe, "{text}");
    }
}
