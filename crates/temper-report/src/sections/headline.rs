//! What was compared, how far each arm came, and the facts of the run.

use temper_eval::Verdict;
use temper_run::summary::{ArmStatus, ArmSummary};

use super::Page;
use crate::grid::Change;
use crate::markup::{El, Markup, el};
use crate::number::{self, short_digest};
use crate::{svg, terminal, when};

/// Top of the page: name, one sentence, facts.
pub fn header(page: &Page) -> El {
    let run = page.run;
    let items: usize = page
        .grid
        .suites()
        .map(|rows| rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.n).max().unwrap_or(0))
        .sum();
    let suites = page.grid.suites().count();
    let mut sentence = format!("{} from one base model", number::count(run.arms.len(), "arm"));
    if let Some(budget) = run.budget_flops {
        sentence.push_str(&format!(", {} each", number::flops(budget)));
    }
    if suites > 0 {
        let items = number::count(items, "item");
        sentence.push_str(&format!(", compared on the same {items} of {}.", number::count(suites, "suite")));
    } else {
        sentence.push_str("; nothing has been measured yet.");
    }
    let mut header = el("header").class("page-head").add(el("p").class("eyebrow").text("Temper run"));
    header = header.add(el("h1").text(&run.name));
    if let Some(description) = &run.description {
        header = header.add(el("p").class("description").text(description));
    }
    header.add(el("p").class("sentence").text(sentence)).add(facts(page))
}

fn facts(page: &Page) -> El {
    let run = page.run;
    let took = match when::elapsed(run) {
        Some(seconds) => number::duration(seconds),
        None => "not finished".to_owned(),
    };
    let budget = run.budget_flops.map_or("none".to_owned(), |b| format!("{} per arm", number::flops(b)));
    let facts = [
        ("Seed", run.seed.to_string()),
        ("Budget", budget),
        ("Started", when::pretty(&run.started)),
        ("Took", took),
        ("Machine", run.machine.clone()),
        ("Temper", run.temper_version.clone()),
    ];
    let digests = [("Recipe", &run.recipe_digest), ("Base model", &run.base.digest)];
    let pair = |name: &str, value: Markup| el("div").add(el("dt").text(name)).add(el("dd").add(value));
    let code = |digest: &str| el("code").attr("title", digest).text(short_digest(digest)).into();
    el("dl")
        .class("facts")
        .all(facts.iter().map(|(name, value)| pair(name, el("span").text(value).into())))
        .all(digests.iter().map(|(name, digest)| pair(name, code(digest))))
}

/// One card per arm, and the run's warnings.
pub fn arms(page: &Page) -> El {
    let cards = page.run.arms.iter().enumerate().map(|(index, arm)| card(page, index, arm));
    let mut section =
        el("section").attr("id", "arms").add(el("h2").text("Arms")).add(el("div").class("cards").all(cards));
    let notes: Vec<El> = page.run.notes.iter().chain(&page.run.base.notes).map(|note| el("li").text(note)).collect();
    let arm_notes: Vec<El> = page.run.arms.iter().flat_map(notes_of).collect();
    if notes.len() + arm_notes.len() > 0 {
        let count = notes.len() + arm_notes.len();
        let title = format!("{count} {}", if count == 1 { "warning or note" } else { "warnings and notes" });
        let list = el("ul").class("notes").all(notes).all(arm_notes);
        section = section.add(el("details").add(el("summary").text(title)).add(list));
    }
    section
}

fn notes_of(arm: &ArmSummary) -> Vec<El> {
    let item = |(stage, note): (&str, &str)| {
        el("li").add(el("b").text(format!("{} · {stage}", arm.name))).text(" ").text(note)
    };
    terminal::stage_notes(arm).map(item).collect()
}

/// How the arm's gates came out, over all stages.
fn gates(arm: &ArmSummary) -> Option<String> {
    let verdicts: Vec<Verdict> = arm.stages.iter().flat_map(|stage| &stage.gates).map(|gate| gate.verdict).collect();
    let count = |wanted: Verdict| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    let (pass, fail, open) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Undecided));
    (!verdicts.is_empty()).then(|| format!("Gates: {pass} passed, {fail} failed, {open} undecided."))
}

fn card(page: &Page, index: usize, arm: &ArmSummary) -> El {
    let class = match arm.status {
        ArmStatus::Completed => "pill done",
        ArmStatus::Running => "pill",
        _ => "pill halted",
    };
    let title = el("h3").add(svg::swatch(Some(index))).text(&arm.name);
    let word = match arm.status {
        ArmStatus::Completed => "completed",
        ArmStatus::Stopped { .. } => "stopped",
        ArmStatus::RolledBack { .. } => "rolled back",
        ArmStatus::Failed { .. } => "failed",
        ArmStatus::Running => "not finished",
    };
    let head = el("div").class("card-head").add(title).add(el("span").class(class).text(word));
    let mut card = el("article").class(&format!("card {}", svg::colour(Some(index)))).add(head);
    if let Some(description) = &arm.description {
        card = card.add(el("p").text(description));
    }
    if !matches!(arm.status, ArmStatus::Completed | ArmStatus::Running) {
        card = card.add(el("p").class("halted").text(sentence_case(&terminal::status(&arm.status))));
    }
    let stages = arm
        .stages
        .iter()
        .map(|stage| el("li").add(el("span").text(&stage.name)).text(" ").add(el("small").text(&stage.kind)));
    card = card.add(el("ol").class("path").add(el("li").text("base")).all(stages));
    card = card.add(tally(page, index));
    if let Some(gates) = gates(arm) {
        card = card.add(el("p").text(gates));
    }
    let costs = format!(
        "{} · {} · {} tokens trained, {} sampled",
        number::flops(arm.cost.flops),
        number::duration(arm.cost.wall_seconds),
        number::tokens(arm.cost.tokens_trained as f64),
        number::tokens(arm.cost.tokens_sampled as f64)
    );
    card.add(el("p").class("quiet").text(costs))
}

/// Metrics named on an arm's card at most.
const SHOWN: usize = 3;

/// How many metrics are clearly better and worse than the base model's, and which are worse.
fn tally(page: &Page, arm: usize) -> Markup {
    let Some(column) = page.grid.columns.iter().position(|column| column.arm == Some(arm)) else {
        return Markup::default();
    };
    let (mut better, mut open, mut worse) = (0, 0, Vec::new());
    for row in page.grid.rows.iter().filter(|row| row.better != temper_score::Better::Neither) {
        if row.cells[column].is_none() {
            continue;
        }
        match row.relation(column, Some(0)).change(row.better) {
            Some(Change::Better) => better += 1,
            Some(_) => worse.push(format!("{} ({})", row.title, row.suite_title)),
            None => open += 1,
        }
    }
    if better + open + worse.len() == 0 {
        return el("p").class("quiet").text("No checkpoint of this arm was measured.").into();
    }
    let part = |class: &str, n: usize, word: &str| el("span").class(class).add(el("b").text(n.to_string())).text(word);
    let mut out: Markup = el("p")
        .class("tally")
        .add(part("mark-better", better, " better"))
        .add(part("mark-worse", worse.len(), " worse"))
        .add(part("quiet", open, " not told apart from the base model"))
        .into();
    if !worse.is_empty() {
        // A long list belongs into the table below.
        let more = worse.len().saturating_sub(SHOWN);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        worse.truncate(SHOWN);
        out.push(el("p").class("quiet").text(format!("Worse: {}{rest}.", worse.join(", "))));
    }
    out
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}
