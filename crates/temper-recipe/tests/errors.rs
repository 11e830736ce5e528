//! Bad recipes and what is said about them.

use serde_json::Value;
use temper_recipe::{Recipe, RewardRef, Stage};

const SCORERS: [&str; 8] =
    ["accuracy", "format", "language", "difference", "lab_annotator", "lab_harmless", "lab_solved", "expression"];

/// A good recipe; each case changes a part of it.
const GOOD: &str = "\
name: small
model: {path: lab:base}
budget: {flops: 1e14}
data:
  train: {path: lab:demonstrations}
  problems: {path: lab:problems}
scorers:
  thinking: {type: language, part: thinking}
  gap: {type: difference, minuend: lab_annotator, subtrahend: lab_harmless}
suites:
  familiar:
    data: {path: lab:eval/familiar, rows: 200}
    scorers: [lab_solved, thinking, accuracy, gap]
arms:
  hybrid:
    stages:
      - sft: {name: cold, data: train, share: 0.2}
      - grpo:
          data: problems
          share: 0.5
          rewards: [accuracy, {scorer: format, weight: 0.5}]
      - reject: {name: kept, data: problems, keep: [{scorer: format, at_least: 1}]}
      - sft: {name: last, data: stage:kept, init: base}
gates:
  - {suite: familiar, metric: lab_solved, at_least: 0.1}
";

fn error(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    match Recipe::parse(text, "r.yaml", &overrides, &SCORERS) {
        Ok(_) => panic!("accepted:\n{text}\n{overrides:?}"),
        Err(error) => error.to_string(),
    }
}

/// The error after replacing `from` by `to` in the good recipe.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    error(&GOOD.replacen(from, to, 1), &[])
}

/// The error of one override on the good recipe.
fn set(text: &str) -> String {
    error(GOOD, &[text])
}

#[test]
fn gates_on_slices_reducers_and_axes() {
    let slices = "    scorers: [lab_solved, thinking, accuracy, gap]\n    slices: {kind: category}\n    repeats: 2\n";
    let good = GOOD.replacen("    scorers: [lab_solved, thinking, accuracy, gap]\n", slices, 1);
    let gates = "axes: {reasoning: [familiar/lab_solved], safety: [familiar/gap]}\ngate_correction: none\ngates:\n  \
                 - {suite: familiar, metric: lab_solved, at_most: 1, slice: kind}\n  \
                 - {suite: familiar, metric: lab_solved, at_most: 1, slice: {kind: sums}, reducer: pass@2}\n";
    let good = good.replacen("gates:\n", gates, 1);
    let recipe = Recipe::parse(&good, "r.yaml", &[], &SCORERS).unwrap();
    let labels: Vec<String> = recipe.gates.iter().map(|gate| gate.label()).collect();
    assert_eq!(labels[..2], ["familiar/lab_solved by kind", "familiar/lab_solved pass@2 [kind=sums]"]);
    // What is written out is read back.
    assert_eq!(Recipe::parse(&recipe.to_yaml(), "again", &[], &SCORERS).unwrap(), recipe);
    let says = |set: &str, expected: &str| {
        let found = error(&good, &[set]);
        assert!(found.contains(expected), "{found}");
    };
    says("gates.0.slice=kid", "gates[0].slice: unknown slice `kid`; did you mean `kind`?");
    says("gates.1.slice={kid: sums}", "gates[1].slice: unknown slice `kid`");
    says("gates.1.slice={}", "gates[1].slice");
    says("gates.1.slice=3", "gates[1].slice: expected");
    says(
        "gates.1.reducer=pass@3",
        "gates[1].reducer: `pass@3` needs 3 completions per item, but the suite `familiar` takes 2",
    );
    says("gates.1.corrected=true", "gates[1].corrected: only a mean can be corrected");
    says("axes.safety=[]", "axes.safety: missing");
    says("axes.safety=[familiar/lab_solved]", "axes.safety[0]: `familiar/lab_solved` is listed twice");
    says("axes.safety=[familiar/gp]", "axes.safety[0]: unknown metric `familiar/gp`; did you mean `familiar/gap`?");
    assert!(set("gates.0.slice=kind").contains("the suite `familiar` has no slices"), "{}", set("gates.0.slice=kind"));
    let both = error(GOOD, &["gates.0.corrected=true", "gates.0.uncalibrated=true"]);
    assert!(both.contains("gates[0].uncalibrated: a rate is corrected by a calibration"), "{both}");
    let clusters = error(GOOD, &["gates.0.early_stop=true", "suites.familiar.cluster=seed"]);
    assert!(clusters.contains("there is no confidence sequence for a suite with clusters"), "{clusters}");
}

#[test]
fn the_good_recipe_is_good() {
    Recipe::parse(GOOD, "r.yaml", &[], &SCORERS).unwrap();
}

#[test]
fn unknown_keys() {
    assert_eq!(
        with("rows: 200", "row: 200"),
        "r.yaml:12:37: suites.familiar.data.row: unknown key; did you mean `rows`? \
         Known keys: path, about, subset, split, shape, mix, rows, skip, columns, file_pattern, filter, template, system, chat, chat_template_kwargs, \
         clean, part, transform, allow"
    );
    assert_eq!(
        with("weight: 0.5", "wieght: 0.5"),
        "r.yaml:21:48: arms.hybrid.stages[1].grpo.rewards[1].wieght: unknown key; did you mean `weight`? \
         Known keys: scorer, weight"
    );
    let grpo = with("share: 0.5", "leraning_rate: 1");
    let start = "r.yaml:20:11: arms.hybrid.stages[1].grpo.leraning_rate: unknown key; did you mean `learning_rate`? \
                 Known keys: name, data, init, rewards, max_steps, share, num_train_epochs, prompts_per_step, ";
    assert!(grpo.starts_with(start), "{grpo}");
    // What the key is called elsewhere, and where it belongs.
    let grpo = with("share: 0.5", "num_generations: 4");
    assert!(grpo.contains("num_generations: unknown key; did you mean `completions_per_prompt`?"), "{grpo}");
    assert_eq!(
        with("    scorers: [lab", "    temperature: 0\n    scorers: [lab"),
        "r.yaml:13:5: suites.familiar.temperature: unknown key; did you mean `sampling.temperature`? \
         Known keys: title, data, scorers, sampling, repeats, reducers, slices, cluster"
    );
    assert_eq!(
        with("- grpo", "- gpro"),
        "r.yaml:18:9: arms.hybrid.stages[1].gpro: unknown kind `gpro`; did you mean `grpo`? Known kinds: sft, grpo, reject"
    );
}

#[test]
fn wrong_types_and_ranges() {
    let share = "r.yaml:20:18: arms.hybrid.stages[1].grpo.share: ";
    assert_eq!(with("share: 0.5", "share: fast"), format!("{share}expected a number or null, found the text `fast`"));
    assert_eq!(
        with("share: 0.5", "share: 1.5"),
        format!("{share}1.5 is out of range; it must be above 0 and at most 1")
    );
    assert_eq!(with("name: small", "name: [1]"), "r.yaml:1:7: name: expected a text, found a list of 1");
    assert_eq!(with("name: small", "name: 12"), "r.yaml:1:7: name: expected a text, found the number 12");
    assert_eq!(
        with("rows: 200", "rows: 1.5"),
        "r.yaml:12:43: suites.familiar.data.rows: expected a whole number or null, found the number 1.5"
    );
    assert_eq!(
        with("init: base", "init: bas"),
        "r.yaml:23:51: arms.hybrid.stages[3].sft.init: `bas` is not one of parent, base; did you mean `base`?"
    );
    assert_eq!(
        with("{scorer: format, weight: 0.5}", "3"),
        "r.yaml:21:31: arms.hybrid.stages[1].grpo.rewards[1]: \
         expected a text or a mapping with the keys scorer, weight, found the number 3"
    );
    assert_eq!(
        with("[lab_solved, thinking, accuracy, gap]", "[]"),
        "r.yaml:13:14: suites.familiar.scorers: the list is empty; at least one entry is needed"
    );
    let path = "arms.hybrid.stages[1].grpo";
    for (key, value, message) in [
        ("completions_per_prompt", "1", "1 is out of range; it must be at least 2"),
        ("learning_rate", "0", "0 is out of range; it must be above 0"),
        ("beta", "-0.1", "-0.1 is out of range; it must be at least 0"),
        ("adam_beta2", "1", "1 is out of range; it must be at least 0 and below 1"),
        ("warmup_ratio", "2", "2 is out of range; it must be at least 0 and at most 1"),
        ("loss_type", "dr-grpo", "`dr-grpo` is not one of grpo, dr_grpo, dapo; did you mean `dr_grpo`?"),
        ("loss_type", "3", "expected one of grpo, dr_grpo, dapo, found the number 3"),
        ("mask_truncated_completions", "3", "expected true or false, found the number 3"),
    ] {
        let text = format!("arms.hybrid.stages.grpo.{key}={value}");
        assert_eq!(set(&text), format!("--set {text}: {path}.{key}: {message}"));
    }
    assert_eq!(
        set("gates.0.margin=-1"),
        "--set gates.0.margin=-1: gates[0].margin: -1 is out of range; it must be at least 0"
    );
}

#[test]
fn missing_keys() {
    assert_eq!(
        with("name: small\n", ""),
        "r.yaml:1:1: name: missing; expected a text (Name of the run: its folder under `out`)"
    );
    let model = "model.path: missing; give the base model with `--set model.path=DIR` \
                 (a Hugging Face model directory, or lab:base)";
    assert_eq!(with("model: {path: lab:base}\n", ""), format!("r.yaml:1:1: {model}"));
    assert_eq!(with("{path: lab:base}", "{path: null}"), format!("r.yaml:2:9: {model}"));
    assert_eq!(set("model.path="), format!("--set model.path=: {model}"));
    assert_eq!(
        with("{scorer: format, at_least: 1}", "{at_least: 1}"),
        "r.yaml:22:53: arms.hybrid.stages[2].reject.keep[0].scorer: \
         missing; expected a text (An entry of `scorers` or a built-in type)"
    );
    assert!(
        error("", &[]).starts_with("r.yaml:1:1: the recipe: expected a mapping with the keys name, "),
        "{}",
        error("", &[])
    );
}

#[test]
fn yaml_that_is_none() {
    assert_eq!(
        with("name: small", "name: small\n bad: : 1"),
        "r.yaml:2:5 is not valid YAML: mapping values are not allowed in this context"
    );
    let twice = with("name: small", "name: small\nname: other");
    assert!(twice.starts_with("r.yaml:2:1 is not valid YAML: "), "{twice}");
    let gone = Recipe::load(std::path::Path::new("gone.yaml"), &[]).unwrap_err().to_string();
    assert!(gone.starts_with("cannot read the recipe gone.yaml: ") && gone.ends_with("; check the path"), "{gone}");
}

#[test]
fn references() {
    assert_eq!(
        with("rewards: [accuracy", "rewards: [acuracy"),
        "r.yaml:21:21: arms.hybrid.stages[1].grpo.rewards[0]: unknown scorer `acuracy`; did you mean `accuracy`? \
         Known: thinking, gap, accuracy, format, language, difference, lab_annotator, lab_harmless, lab_solved, expression"
    );
    assert_eq!(
        with("data: problems\n", "data: problem\n"),
        "r.yaml:19:11: arms.hybrid.stages[1].grpo.data: unknown data source `problem`; did you mean `problems`? \
         Known: train, problems"
    );
    assert_eq!(
        with("data: problems\n", "data: lab:problems\n"),
        "r.yaml:19:11: arms.hybrid.stages[1].grpo.data: `lab:problems` is a path; give it a name under `data`, \
         as in `data: {train: {path: \"lab:problems\"}}`, and use the name here"
    );
    let last = "r.yaml:23:27: arms.hybrid.stages[3].sft.data: ";
    assert_eq!(
        with("stage:kept", "stage:kpt"),
        format!("{last}unknown earlier reject stage `kpt`; did you mean `kept`? Known: kept")
    );
    assert_eq!(
        with("data: train, share", "data: stage:kept, share"),
        "r.yaml:17:27: arms.hybrid.stages[0].sft.data: \
         the reject stage `kept` comes later in this arm; put it before this stage"
    );
    assert_eq!(
        with("data: problems\n", "data: stage:cold\n"),
        "r.yaml:19:11: arms.hybrid.stages[1].grpo.data: `stage:cold` gives finished completions, \
         which only an sft stage can use; name an entry of `data`"
    );
    assert_eq!(
        with("type: language", "type: langage"),
        "r.yaml:8:14: scorers.thinking.type: unknown scorer type `langage`; did you mean `language`? \
         Known: accuracy, format, language, difference, lab_annotator, lab_harmless, lab_solved, expression"
    );
    assert_eq!(
        with("minuend: lab_annotator", "minuend: gap"),
        "r.yaml:9:3: scorers.gap: `gap` is made of itself; a difference must be of other scorers"
    );
    assert_eq!(
        with("minuend: lab_annotator, ", ""),
        "r.yaml:9:3: scorers.gap.minuend: missing; a difference needs a `minuend` and a `subtrahend`, both scorers"
    );
    let difference = "{type: difference, minuend: lab_annotator, subtrahend: lab_harmless}";
    assert_eq!(
        with(difference, "{type: expression, of: {a: gap}, formula: a}"),
        "r.yaml:9:3: scorers.gap: `gap` is made of itself; an expression must be of other scorers"
    );
    assert_eq!(
        with(difference, "{type: expression, of: [accuracy], formula: a}"),
        "r.yaml:9:27: scorers.gap.of: expected the scorers of the formula by name, as in `of: {a: accuracy, f: format}`"
    );
    assert_eq!(
        with(difference, "{type: expression, of: {a: acuracy}, formula: a}").split(';').next().unwrap(),
        "r.yaml:9:32: scorers.gap.of.a: unknown scorer `acuracy`"
    );
    assert_eq!(
        with(difference, "{type: expression, of: {a: accuracy}}"),
        "r.yaml:9:3: scorers.gap.formula: missing; write it over the names in `of`, as in `a + 0.2 * f`"
    );
    assert_eq!(
        with(
            "  thinking: {type: language, part: thinking}",
            "  thinking: {type: language}\n  accuracy: {type: format}"
        ),
        "r.yaml:9:3: scorers.accuracy: `accuracy` is a built-in scorer type, but this entry is of type `format`; \
         choose another name"
    );
    assert_eq!(
        with("suite: familiar", "suite: familar"),
        "r.yaml:25:6: gates[0].suite: unknown suite `familar`; did you mean `familiar`? Known: familiar"
    );
    assert_eq!(
        with("metric: lab_solved", "metric: lab_sloved"),
        "r.yaml:25:23: gates[0].metric: in the suite `familiar`: unknown scorer `lab_sloved`; \
         did you mean `lab_solved`? Known: lab_solved, thinking, accuracy, gap"
    );
    assert_eq!(
        set("gates.0.arms=[hybird]"),
        "--set gates.0.arms=[hybird]: gates[0].arms[0]: unknown arm `hybird`; did you mean `hybrid`? Known: hybrid"
    );
    assert_eq!(
        set("gates.0.stages=[kept]"),
        "--set gates.0.stages=[kept]: gates[0].stages[0]: unknown stage with a checkpoint `kept`. Known: cold, grpo, last"
    );
}

#[test]
fn combinations() {
    assert_eq!(
        with("share: 0.5", "share: 0.9"),
        "r.yaml:15:3: arms.hybrid: the shares of its stages add up to 1.1, more than the whole budget; lower them to 1 in total"
    );
    assert_eq!(
        with("budget: {flops: 1e14}\n", ""),
        "r.yaml:16:40: arms.hybrid.stages[0].sft.share: a share of what? The recipe has no budget; \
         add `budget: {flops: 1e14}` or use `max_steps` instead"
    );
    assert_eq!(
        with("          share: 0.5\n", ""),
        "r.yaml:18:9: arms.hybrid.stages[1].grpo: nothing says when the stage ends; \
         give `max_steps`, `share` or `num_train_epochs`"
    );
    let cut = "truncated sampling draws from other probabilities than those in the loss, which biases the gradient; \
               use `top_p: 1` and `top_k: 0`, or set `allow_truncated_sampling: true` to do it all the same";
    for (key, value) in [("top_p", "0.9"), ("top_k", "20")] {
        let text = format!("arms.hybrid.stages.1.{key}={value}");
        assert_eq!(set(&text), format!("--set {text}: arms.hybrid.stages[1].grpo.{key}: {cut}"));
    }
    let forced = ["arms.hybrid.stages.1.top_p=0.9", "arms.hybrid.stages.1.allow_truncated_sampling=true"];
    Recipe::parse(GOOD, "r.yaml", &forced.map(String::from), &SCORERS).unwrap();
    assert_eq!(
        with("at_least: 0.1", "at_least: 0.1, at_most: 3"),
        "r.yaml:25:5: gates[0]: a gate has one rule: `at_least`, `at_most` or `not_worse_than`; write one gate for each"
    );
    assert_eq!(
        with(", at_least: 0.1", ""),
        "r.yaml:25:5: gates[0]: the gate has no rule; give `at_least`, `at_most` or `not_worse_than`"
    );
    assert_eq!(
        with("at_least: 0.1", "at_least: 0.1, margin: 0.1"),
        "r.yaml:25:58: gates[0].margin: a margin belongs to `not_worse_than`; change the bound instead"
    );
    assert_eq!(
        with(", at_least: 1}", "}"),
        "r.yaml:22:53: arms.hybrid.stages[2].reject.keep[0]: the rule has no bound; give `at_least` or `at_most`"
    );
    assert_eq!(
        set("arms.hybrid.stages.kept.per_prompt=9"),
        "--set arms.hybrid.stages.kept.per_prompt=9: arms.hybrid.stages[2].reject.per_prompt: \
         more are to be kept than sampled (`samples_per_prompt` is 8)"
    );
    assert_eq!(
        with("name: last", "name: cold"),
        "r.yaml:23:15: arms.hybrid.stages[3].sft.name: an earlier stage of this arm is called `cold` too; choose another name"
    );
    assert_eq!(
        with("name: last", "name: a/b"),
        "r.yaml:23:15: arms.hybrid.stages[3].sft.name: `a/b` is not a name; \
         use letters, digits, `.`, `_` and `-`, a letter or digit first"
    );
    assert_eq!(
        with("name: last", "batch_size: 4, batch_tokens: 4"),
        "r.yaml:23:30: arms.hybrid.stages[3].sft.batch_tokens: `batch_size` is given too; \
         a batch is counted in rows or in tokens, so keep one"
    );
    assert_eq!(
        with("{scorer: format, weight: 0.5}", "accuracy"),
        "r.yaml:21:31: arms.hybrid.stages[1].grpo.rewards[1]: `accuracy` is listed twice; \
         keep one entry with the weight you want"
    );
    assert_eq!(
        set("lab.hidden_size=100"),
        "--set lab.hidden_size=100: lab.hidden_size: 100 is not a multiple of twice `num_heads` (4)"
    );
}

#[test]
fn the_firewall() {
    assert_eq!(
        with("metric: lab_solved", "metric: accuracy"),
        "r.yaml:25:23: gates[0].metric: the gate `familiar/accuracy` judges arm `hybrid` by the metric `accuracy`, \
         but the arm's stage `02-grpo` is rewarded by `accuracy`. What trained a model cannot be what passes it: \
         gate on another scorer of the suite (`lab_solved`, `thinking`, `gap`), or leave the arm out with `arms: [...]`, \
         or take `accuracy` out of the stage"
    );
    // The resolved scorer counts, not its name, and how it is shown does not count.
    let renamed = GOOD
        .replace("metric: lab_solved", "metric: thinking")
        .replace(
            "scorers:\n  thinking",
            "scorers:\n  other: {type: language, part: thinking, title: T, better: lower}\n  thinking",
        )
        .replace("keep: [{scorer: format", "keep: [{scorer: other");
    assert_eq!(
        error(&renamed, &[]),
        "r.yaml:26:23: gates[0].metric: the gate `familiar/thinking` judges arm `hybrid` by the metric `thinking` \
         (the same scorer as `other`: language part=\"thinking\"), but the arm's stage `03-kept` selects rows by `other`. \
         What trained a model cannot be what passes it: gate on another scorer of the suite (`lab_solved`, `gap`), \
         or leave the arm out with `arms: [...]`, or take `other` out of the stage"
    );
    // An expression counts as the scorers that it is over.
    let formula = "{type: expression, of: {a: lab_annotator, h: lab_harmless}, formula: a + h}";
    let over = GOOD
        .replace("{type: difference, minuend: lab_annotator, subtrahend: lab_harmless}", formula)
        .replace("metric: lab_solved", "metric: gap")
        .replace("rewards: [accuracy", "rewards: [lab_annotator");
    let text = error(&over, &[]);
    assert!(text.contains("by the metric `gap`, which contains `lab_annotator`"), "{text}");

    // A difference counts as its parts.
    let parts =
        GOOD.replace("metric: lab_solved", "metric: gap").replace("rewards: [accuracy", "rewards: [lab_annotator");
    assert!(
        error(&parts, &[]).contains(
            "judges arm `hybrid` by the metric `gap`, which contains `lab_annotator`, \
             but the arm's stage `02-grpo` is rewarded by `lab_annotator`."
        ),
        "{}",
        error(&parts, &[])
    );
    // A gate that does not apply to the arm is free.
    let apart = GOOD
        .replace("metric: lab_solved", "metric: accuracy, arms: [plain]")
        .replace("arms:\n  hybrid:", "arms:\n  plain: {stages: [{sft: {data: train}}]}\n  hybrid:");
    Recipe::parse(&apart, "r.yaml", &[], &SCORERS).unwrap();
    assert_eq!(
        with("lab:eval/familiar", "lab:problems"),
        "r.yaml:12:5: suites.familiar.data: the items overlap with the rows of `data.problems` (lab:problems), \
         which stage `02-grpo` of arm `hybrid` trains on. What trained a model cannot be what passes it: \
         use another file or part, or keep the rows apart with `skip` and `rows`, or with `filter`"
    );
    let apart = GOOD
        .replace("lab:eval/familiar", "lab:problems")
        .replace("{path: lab:problems}", "{path: lab:problems, skip: 200}");
    Recipe::parse(&apart, "r.yaml", &[], &SCORERS).unwrap();
}

#[test]
fn overrides() {
    assert_eq!(
        set("seed"),
        "--set seed: expected KEY=VALUE, as in `seed=1` or `arms.a.stages.0.sft.learning_rate=1e-4`"
    );
    assert!(set("sede=1").starts_with("--set sede=1: sede: unknown key; did you mean `seed`? Known keys: name, "));
    let share = |path: &str| format!("arms.hybrid.stages.{path}.share=0.1");
    let stages = "`arms.hybrid.stages`";
    assert_eq!(
        set(&share("sft")),
        format!("--set {}: {stages} has several stages `sft` (numbers 0, 3); name one by its number", share("sft"))
    );
    assert_eq!(
        set(&share("lst")),
        format!(
            "--set {}: in {stages}: unknown stage `lst`; did you mean `last`? Known: cold, grpo, kept, last",
            share("lst")
        )
    );
    assert_eq!(
        set(&share("7")),
        format!("--set {}: {stages} has 4 entries, numbered from 0; 7 is not one of them", share("7"))
    );
    assert_eq!(
        set("arms.hybird.stages.0.share=0.1"),
        "--set arms.hybird.stages.0.share=0.1: in `arms`: unknown name `hybird`; did you mean `hybrid`? Known: hybrid"
    );
    assert_eq!(
        set("seed.more=1"),
        "--set seed.more=1: seed: expected a whole number, found a mapping with the keys more"
    );
    assert_eq!(
        set("name.more=1"),
        "--set name.more=1: `name` holds a single value, so `more` cannot be set in it; set `name` as a whole"
    );
    assert_eq!(set("budget={flops: 1"), "--set budget={flops: 1: the value is not valid YAML: unclosed bracket '{'");

    let changed = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
        Recipe::parse(GOOD, "r.yaml", &texts, &SCORERS).unwrap()
    };
    let beta = |texts: &[&str]| match &changed(texts).arms["hybrid"].stages[1] {
        Stage::Grpo(grpo) => grpo.beta,
        _ => panic!(),
    };
    for path in ["stages.1.grpo", "stages[1].grpo", "stages.1", "stages.grpo", "stages[1]"] {
        assert_eq!(beta(&[&format!("arms.hybrid.{path}.beta=0.5")]), 0.5, "{path}");
    }
    assert_eq!(beta(&["arms.hybrid.stages.1.beta=0.5", "arms.hybrid.stages.1.beta=0.25"]), 0.25);
    let recipe = changed(&["name=2024", "lab.pretrain.tokens=5e6", "arms.hybrid.stages.1.rewards.0.weight=3"]);
    assert_eq!(recipe.name, "2024");
    assert_eq!(recipe.lab.pretrain.tokens, 5_000_000);
    let Stage::Grpo(grpo) = &recipe.arms["hybrid"].stages[1] else { panic!() };
    assert_eq!(grpo.rewards[0], RewardRef { scorer: "accuracy".into(), weight: 3.0 });
}

#[test]
fn a_recipe_made_in_code_is_checked_too() {
    let mut recipe = Recipe::parse(GOOD, "r.yaml", &[], &SCORERS).unwrap();
    recipe.budget.as_mut().unwrap().flops = -1.0;
    assert_eq!(
        recipe.validate(&SCORERS).unwrap_err().to_string(),
        "the recipe `small`: budget.flops: -1.0 is out of range; it must be above 0"
    );
}

/// Every key of a mapping with fixed keys, misspelt, is an error that names the right key; every value replaced by
/// something odd is accepted or an error with its path, never a panic.
#[test]
fn every_key_misspelt_and_every_value_replaced() {
    let good = Recipe::parse(GOOD, "r.yaml", &[], &SCORERS).unwrap();
    let value: Value = serde_json::to_value(&good).unwrap();
    let mut paths = Vec::new();
    keys(&value, "", &mut paths);
    assert!(paths.len() > 150, "{}", paths.len());
    for (path, key) in &paths {
        let free = ["/data", "/scorers", "/suites", "/arms"].contains(&path.as_str()) || path.starts_with("/scorers/");
        if !free && !path.ends_with("/filter") {
            let mut wrong = value.clone();
            let map = wrong.pointer_mut(path).unwrap().as_object_mut().unwrap();
            let kept = map.shift_remove(key).unwrap();
            map.insert(format!("{key}x"), kept);
            let said = error(&wrong.to_string(), &[]);
            // Several keys may be about as near (at_least, at_most); some are missing first.
            assert!(said.contains("did you mean `"), "{path} {key}: {said}");
        }
        for odd in ["{}", "[]", "[[]]", "-1", "1e300", "\"\"", "\"q\"", "true", "null"] {
            let mut wrong = value.clone();
            wrong.pointer_mut(path).unwrap()[key] = serde_json::from_str(odd).unwrap();
            if let Err(error) = Recipe::parse(&wrong.to_string(), "r.yaml", &[], &SCORERS) {
                assert!(error.to_string().starts_with("r.yaml"), "{error}");
            }
        }
    }
}

fn keys(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                out.push((path.to_string(), key.clone()));
                keys(inner, &format!("{path}/{key}"), out);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                keys(inner, &format!("{path}/{i}"), out);
            }
        }
        _ => {}
    }
}

#[test]
fn formats_adapters_and_budgets() {
    let sft = |lora: &str| with("data: train, share: 0.2", &format!("data: train, share: 0.2, lora: {lora}"));
    for (text, says) in [
        (set("dtype=fp16"), "dtype: `fp16` is not one of f32, bf16"),
        (set("checkpointing=always"), "checkpointing: `always` is not one of auto, on, off"),
        (
            set("memory_budget=much"),
            "memory_budget: `much` is not an amount of memory; write a number with a unit, such as `4GiB`",
        ),
        (set("memory_budget=4"), "`4` is not an amount of memory"),
        (set("micro_batch_tokens=0"), "micro_batch_tokens: 0 is out of range; it must be at least 1"),
        (set("arms.hybrid.stages.cold.adam_state=4bit"), "`4bit` is not one of f32, 8bit"),
        (sft("{base: int4}"), "lora.base: `int4` is not one of f32, bf16, int8, nf4"),
        (sft("{r: 0}"), "lora.r: 0 is out of range; it must be at least 1"),
        (
            sft("{targets: [q_prj]}"),
            "lora.targets[0]: `q_prj` is not one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
        ),
        (
            sft("{targets: all}"),
            "lora.targets: `all` is not one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, all-linear",
        ),
        (sft("{targets: []}"), "lora.targets: the list is empty; at least one entry is needed"),
        (sft("{targets: [q_proj, q_proj]}"), "lora.targets[1]: `q_proj` is listed twice; take one out"),
        (sft("{rank: 8}"), "lora.rank: unknown key"),
        (sft("16"), "lora: expected a mapping with the keys r, alpha, rslora, targets, base"),
    ] {
        assert!(text.contains(says), "{text}\n{says}");
    }
}

#[test]
fn paths_on_the_hub() {
    Recipe::parse(
        GOOD,
        "r.yaml",
        &["data.train={path: 'hf://datasets/a/b', subset: main, split: test}".into()],
        &SCORERS,
    )
    .unwrap();
    let e = set("data.train.path=hf://datasets/");
    assert!(e.contains("data.train.path: `hf://datasets/`") && e.contains("`hf://datasets/ORG/NAME`"), "{e}");
    let e = set("data.train.path=hf://a/b");
    assert!(e.contains("names a model, not a data set; write `hf://datasets/ORG/NAME`"), "{e}");
    let e = set("model.path=hf://datasets/a/b");
    assert!(e.contains("model.path: ") && e.contains("names a data set, not a model"), "{e}");
    let e = set("suites.familiar.data.split=test");
    assert!(e.contains("suites.familiar.data.split: `lab:eval/familiar`") && e.contains("remove `split`"), "{e}");
}
