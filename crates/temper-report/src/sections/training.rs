//! Training curves from the stages' `metrics.jsonl`.

use std::collections::BTreeSet;

use temper_run::summary::{ArmSummary, StageSummary};

use super::{Page, section};
use crate::curves::{self, Metrics, Points};
use crate::markup::{El, Markup, el};
use crate::number::{count, short};
use crate::svg::{self, Line};
use crate::{health, markup};

/// Points drawn of one stage's curve at most.
const POINTS: usize = 300;

/// A stage with its curves.
struct Trained<'a> {
    arm: &'a ArmSummary,
    series: usize,
    stage: &'a StageSummary,
    metrics: Metrics,
}

/// A group of panels: stages of one kind, and the metrics shown of them with their titles.
struct Method {
    kind: &'static str,
    title: &'static str,
    metrics: &'static [(&'static str, &'static str)],
}

const METHODS: [Method; 2] = [
    Method {
        kind: "grpo",
        title: "Reinforcement learning (GRPO)",
        metrics: &[
            ("reward", "Reward"),
            (COMPONENTS, ""),
            ("completions/mean_length", "Completion length, tokens"),
            ("completions/clipped_ratio", "Share cut off at the limit"),
            ("entropy", "Entropy, nats per token"),
            ("kl", "KL to the reference"),
            ("frac_reward_zero_std", "Share of groups without a signal"),
            ("grad_norm", "Gradient norm"),
            ("loss", "Loss"),
        ],
    },
    Method {
        kind: "sft",
        title: "Supervised fine-tuning",
        metrics: &[
            ("loss", "Loss, nats per token"),
            ("mean_token_accuracy", "Token accuracy"),
            ("entropy", "Entropy, nats per token"),
            ("grad_norm", "Gradient norm"),
        ],
    },
];

/// Stands in a list of metrics for the mean of every component of the reward.
const COMPONENTS: &str = "rewards/*/mean";

/// Curves by method, one panel per metric, one line per arm.
pub fn section_of(page: &Page) -> El {
    let lead = "One panel per metric, one line per arm, steps counted over the arm's stages of that kind. Thin lines are \
                logged steps, bold ones their moving average; a dotted upright marks where a later stage begins.";
    let mut out = section("training", "Training curves", lead);
    let (trained, missing) = read(page);
    for method in &METHODS {
        let stages: Vec<&Trained> = trained.iter().filter(|t| t.stage.kind == method.kind).collect();
        if !stages.is_empty() {
            out = out.add(el("h3").text(method.title)).add(panels(method, &stages));
        }
    }
    if trained.is_empty() {
        out = out.add(el("p").class("quiet").text("No stage has written training metrics."));
    }
    out.add(flags(&trained)).add(gaps(&missing))
}

/// The stages whose metrics can be read, and a line for each that promised some and has none.
fn read<'a>(page: &Page<'a>) -> (Vec<Trained<'a>>, Vec<String>) {
    let (mut trained, mut missing) = (Vec::new(), Vec::new());
    for (series, arm) in page.run.arms.iter().enumerate() {
        for stage in &arm.stages {
            let Some(file) = &stage.metrics else { continue };
            match curves::read(&page.dir.join(file)) {
                Some(metrics) => {
                    if metrics.broken_lines > 0 {
                        let lines = count(metrics.broken_lines, "line");
                        missing.push(format!("{file}: {lines} could not be read and are left out"));
                    }
                    trained.push(Trained { arm, series, stage, metrics });
                }
                None => {
                    missing.push(format!("{file}: no metrics there, so {} · {} has no curves", arm.name, stage.name))
                }
            }
        }
    }
    (trained, missing)
}

fn panels(method: &Method, stages: &[&Trained]) -> Markup {
    let mut out = el("div").class("panels");
    let mut constant = Vec::new();
    for (metric, title) in expand(method, stages) {
        let lines = lines(stages, &metric);
        let values: Vec<f64> = lines.iter().flat_map(|l| &l.pieces).flat_map(|(_, p)| p).map(|p| p.1).collect();
        match values.first() {
            None => continue,
            Some(first) if values.iter().all(|v| v == first) => constant.push(format!("{title} {}", short(*first))),
            _ => {
                let caption = el("figcaption").text(&title).text(" ").add(el("small").add(el("code").text(&metric)));
                let label = format!("{title} over training steps");
                out = out.add(el("figure").class("panel").add(caption).add(svg::line_chart(&lines, &label)));
            }
        }
    }
    let mut all = Markup::from(out);
    if !constant.is_empty() {
        all.push(
            el("p").class("legend").text(format!("The same at every step, so not drawn: {}.", constant.join("; "))),
        );
    }
    all
}

/// The method's metrics with the reward's components spelled out.
fn expand(method: &Method, stages: &[&Trained]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (metric, title) in method.metrics {
        if *metric != COMPONENTS {
            out.push(((*metric).to_owned(), (*title).to_owned()));
            continue;
        }
        let names: BTreeSet<&str> = stages
            .iter()
            .flat_map(|t| t.metrics.curves.keys())
            .filter_map(|key| key.strip_prefix("rewards/")?.strip_suffix("/mean"))
            .collect();
        out.extend(names.iter().map(|name| (format!("rewards/{name}/mean"), format!("Reward: {name}"))));
    }
    out
}

/// One line per arm: its stages of this kind one after another.
fn lines<'a>(stages: &[&Trained<'a>], metric: &str) -> Vec<Line<'a>> {
    let mut out: Vec<Line> = Vec::new();
    let mut offset = 0.0;
    for trained in stages {
        if out.last().is_none_or(|line| line.series != Some(trained.series)) {
            out.push(Line { name: &trained.arm.name, series: Some(trained.series), pieces: Vec::new() });
            offset = 0.0;
        }
        let points: Points = trained.metrics.curves.get(metric).cloned().unwrap_or_default();
        let points = curves::thin(&points, POINTS).iter().map(|p| (p.0 + offset, p.1)).collect();
        offset += trained.metrics.last_step;
        if let Some(line) = out.last_mut() {
            line.pieces.push((trained.stage.name.as_str(), points));
        }
    }
    out.retain(|line| line.pieces.iter().any(|(_, points)| !points.is_empty()));
    out
}

fn flags(trained: &[Trained]) -> Markup {
    let rl: Vec<&Trained> = trained.iter().filter(|t| t.stage.kind == "grpo").collect();
    if rl.is_empty() {
        return Markup::default();
    }
    let items: Vec<El> = rl
        .iter()
        .flat_map(|t| health::flags(&t.metrics).into_iter().map(move |flag| (t, flag)))
        .map(|(t, flag)| {
            let place = el("b").text(format!("{} · {} ", t.arm.name, t.stage.name));
            el("li").add(place).add(el("code").text(&flag.metric)).text(" ").text(&flag.text)
        })
        .collect();
    let title = el("h3").text("Red flags");
    match items.is_empty() {
        true => {
            let text = "No curve of a GRPO stage left the range that is usual for reasoning runs.";
            [title, el("p").class("quiet").text(text)].into_iter().collect()
        }
        false => {
            let text = "Curves outside the range that is usual for reasoning runs: reasons to look, not verdicts.";
            [title, el("p").class("lead").text(text), el("ul").class("notes").all(items)].into_iter().collect()
        }
    }
}

fn gaps(missing: &[String]) -> Markup {
    if missing.is_empty() {
        return Markup::default();
    }
    markup::el("ul").class("notes").all(missing.iter().map(|text| el("li").text(text))).into()
}
