//! `temper scorer bench`: samples a second of every scorer.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use temper_data::Row;
use temper_recipe::{Columns, DataSource, Lab};
use temper_report::ScorerSpeed;
use temper_run::Sources;
use temper_score::{Score, ScoreCache, Scorer};
use temper_text::Prompt;

use crate::args::ScorerBenchArgs;
use crate::commands;
use crate::error::CliError;

use super::completions::Completions;
use super::named;

/// Samples of one call.
const BATCH: usize = 512;
/// Completions of the built-in texts.
const BUILT_IN: usize = 2048;

/// Measures every scorer on the same completions, given or built-in, and prints one table.
pub fn bench(args: &ScorerBenchArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    if !(args.seconds > 0.0 && args.seconds <= 3600.0) {
        return Err(CliError::message(format!("--seconds {}: write more than 0 and at most 3600", args.seconds)));
    }
    let named = named(args.recipe.as_deref(), &args.set)?;
    let given = Completions::read(&args.completions)?;
    let lab = match given {
        Some(_) => None,
        None => Some(lab(&named.lab)?),
    };
    let completions = given.unwrap_or_else(built_in);
    let names: Vec<String> = match args.scorers.is_empty() {
        false => args.scorers.clone(),
        true => {
            let types = temper_score::known_types().into_iter().map(str::to_owned);
            types.filter(|name| !named.scorers.contains_key(name)).chain(named.scorers.keys().cloned()).collect()
        }
    };
    let mut speeds = Vec::new();
    let mut left_out = Vec::new();
    for name in &names {
        match temper_score::build_with(name, &named.scorers, &named.lab, &ScoreCache::none()) {
            Ok(scorer) => {
                // The lab's oracles have nothing to say about other texts.
                let kind = named.scorers.get(name).map_or(name.as_str(), |spec| spec.r#type.as_str());
                let texts = lab.as_ref().filter(|_| kind.starts_with("lab_")).unwrap_or(&completions);
                speeds.push(speed(scorer.as_ref(), texts, args.seconds));
            }
            // Types that cannot be without parameters; what was asked for by name is an error.
            Err(_) if args.scorers.is_empty() && !named.scorers.contains_key(name) => left_out.push(name.as_str()),
            Err(error) => return Err(error.into()),
        }
    }
    let (samples, threads) = (completions.rows.len(), rayon::current_num_threads());
    let bytes = completions.texts.iter().map(String::len).sum::<usize>();
    if args.json {
        let speeds: Vec<_> = speeds
            .iter()
            .map(|speed| {
                json!({
                    "scorer": speed.scorer, "samples_per_s": speed.samples_per_s, "judged": speed.judged,
                    "scored": speed.scored, "error": speed.error,
                })
            })
            .collect();
        commands::print_json(
            &json!({"scorers": speeds, "samples": samples, "bytes": bytes, "threads": threads, "left_out": left_out}),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = commands::look().width;
    commands::print(&temper_report::render_scorer_bench(&speeds, samples, bytes, threads, width))?;
    if lab.is_some() && speeds.iter().any(|speed| speed.scorer.starts_with("lab_")) {
        commands::print("lab_…: on demonstrations of the lab.\n")?;
    }
    if !left_out.is_empty() {
        commands::print(&format!(
            "Not measured, since they need parameters (of a --recipe): {}\n",
            left_out.join(", ")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Judges the completions, again and again, for the given time and at least once, after one call to warm up.
fn speed(scorer: &dyn Scorer, completions: &Completions, seconds: f64) -> ScorerSpeed {
    let count = completions.rows.len();
    let batches: Vec<_> =
        (0..count).step_by(BATCH).map(|from| completions.samples(from..(from + BATCH).min(count))).collect();
    if let Some(first) = batches.first() {
        scorer.judge(&first[..first.len().min(16)]);
    }
    let limit = Duration::from_secs_f64(seconds);
    let (mut judged, mut scored, mut error) = (0, 0, None);
    let start = Instant::now();
    for samples in batches.iter().cycle() {
        let scores = scorer.score(samples);
        judged += samples.len();
        scored += scores.iter().filter(|score| score.value().is_some()).count();
        error = error.or_else(|| {
            scores.into_iter().find_map(|score| match score {
                Score::Error(reason) => Some(reason),
                _ => None,
            })
        });
        if start.elapsed() >= limit {
            break;
        }
    }
    ScorerSpeed {
        scorer: scorer.name().to_owned(),
        samples_per_s: judged as f64 / start.elapsed().as_secs_f64(),
        judged,
        scored: scored as f64 / judged.max(1) as f64,
        error,
    }
}

/// Demonstrations of the lab.
fn lab(lab: &Lab) -> Result<Completions, CliError> {
    let source = DataSource::parse("lab:demonstrations", &Columns::default(), &[])?;
    let mut found = Completions { rows: Vec::new(), texts: Vec::new(), tokens: Vec::new(), words: true, empty: 0 };
    for row in Sources::new(lab).given(&source, true)?.into_iter().take(BUILT_IN) {
        let Some(text) = row.completion.as_ref().map(|completion| completion.text().into_owned()) else { continue };
        found.tokens.push(text.split_whitespace().count());
        found.texts.push(text);
        found.rows.push(row);
    }
    Ok(found)
}

/// R1-style completions of a few hundred words in three languages, each different.
fn built_in() -> Completions {
    const STEPS: [&str; 3] = [
        "Let me look at the numbers again: the first box holds {a} apples and the second one {b}, so that both together hold {a} + {b} = {c}. ",
        "我们先算第一步：第一个盒子里有{a}个苹果，第二个盒子里有{b}个，一共是{c}个。",
        "Zuerst rechne ich nach, wie viele Äpfel in den beiden Kisten liegen: {a} und {b} ergeben zusammen {c}. ",
    ];
    let mut found = Completions { rows: Vec::new(), texts: Vec::new(), tokens: Vec::new(), words: true, empty: 0 };
    for at in 0..BUILT_IN {
        let (a, b) = (at + 3, at * 7 % 1000 + 1);
        let fill = |text: &str| {
            text.replace("{a}", &a.to_string()).replace("{b}", &b.to_string()).replace("{c}", &(a + b).to_string())
        };
        let step = fill(STEPS[at % STEPS.len()]);
        let answer = if at % 5 == 0 { a } else { a + b };
        let text = format!(
            "<think>{}</think>{step}The result is \\boxed{{{answer}}}.\n#### {answer}",
            step.repeat(4 + at % 13)
        );
        let language = ["en", "zh", "de"][at % 3];
        let fields = json!({"answer": (a + b).to_string(), "language": language, "impossible": at.is_multiple_of(2)});
        found.tokens.push(text.split_whitespace().count());
        found.texts.push(text);
        found.rows.push(Row {
            file: "built-in".into(),
            line: at + 1,
            id: at.to_string(),
            prompt: Prompt::user(format!("How many apples are there, {a} and {b}?")),
            fields: fields.as_object().cloned().unwrap_or_default(),
            ..Row::default()
        });
    }
    found
}
