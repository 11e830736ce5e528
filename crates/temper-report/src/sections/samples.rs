//! Completions of the same item side by side.

use temper_run::summary::SampleShown;
use temper_text::thinking;

use super::{Page, cell, folded, section};
use crate::grid::Column;
use crate::markup::{El, Markup, el, href};
use crate::number::{count, short};
use crate::viewer::viewer_path;

/// Every shown item with the completion of the base model and of each arm's result.
pub fn section_of(page: &Page) -> El {
    let lead = "The same item answered by each checkpoint. What a model wrote is shown as it is, thinking folded. \
                These are a few; a page for each suite holds all of them.";
    let mut out = section("samples", "Samples side by side", lead);
    let items = items(page);
    if items.is_empty() {
        return out.add(el("p").class("quiet").text("The run kept no completions for showing."));
    }
    let mut suite = "";
    for item in items {
        let first = item.suite != suite;
        if first {
            let title = page.run.suites.iter().find(|s| s.name == item.suite).map_or(item.suite, |s| &s.title);
            out = out.add(el("h3").text(title).add(all_items(page, item.suite)));
            suite = item.suite;
        }
        let summary = el("span").add(el("code").text(item.id)).text(" ").text(teaser(item.prompt));
        out = out.add(folded(summary, view(page, &item)).class("item").flag("open", first));
    }
    out
}

/// Link to the page that holds every item of the suite, where it was written.
fn all_items(page: &Page, suite: &str) -> Markup {
    let path = viewer_path(suite);
    if !page.dir.join(&path).exists() {
        return Markup::default();
    }
    let link = el("a").attr("href", href(&path)).text("all items: filter, search, compare");
    el("small").text(" · ").add(link).into()
}

/// An item of which at least one completion is shown.
struct Item<'a> {
    suite: &'a str,
    id: &'a str,
    prompt: &'a str,
}

/// The shown items, by suite in the recipe's order, each once.
fn items<'a>(page: &Page<'a>) -> Vec<Item<'a>> {
    let mut out: Vec<Item> = Vec::new();
    for sample in page.grid.columns.iter().filter_map(|column| column.stage).flat_map(|stage| &stage.samples) {
        if !out.iter().any(|item| item.suite == sample.suite && item.id == sample.id) {
            out.push(Item { suite: &sample.suite, id: &sample.id, prompt: &sample.prompt });
        }
    }
    out.sort_by_key(|item| page.run.suites.iter().position(|s| s.name == item.suite).unwrap_or(usize::MAX));
    out
}

fn view(page: &Page, item: &Item) -> Markup {
    let prompt = el("div").class("prompt").add(el("small").text("prompt")).add(written(item.prompt));
    // A prompt of one short line stands in the summary already.
    let prompt = (teaser(item.prompt) != item.prompt.trim()).then_some(prompt);
    let cards = page.grid.columns.iter().map(|column| {
        let found = column
            .stage
            .and_then(|stage| stage.samples.iter().find(|sample| sample.suite == item.suite && sample.id == item.id));
        completion(page, column, found)
    });
    [Markup::from(prompt), el("div").class("completions").all(cards).into()].into_iter().collect()
}

fn completion(page: &Page, column: &Column, sample: Option<&SampleShown>) -> El {
    let name = el("span").class("arm-name").add(crate::svg::swatch(column.arm)).text(column.name);
    let card = el("article").class(&format!("completion {}", crate::svg::colour(column.arm)));
    let Some(sample) = sample else {
        return card.add(el("h4").add(name)).add(el("p").class("quiet").text("no completion kept"));
    };
    let card = card.add(el("h4").add(cell::linked(name, column.stage, &sample.suite)));
    let split = thinking::split(&sample.text);
    let mut body = Markup::default();
    if let Some(thought) = split.thinking {
        // What stands before the first tag belongs to neither part, and is shown all the same.
        let before = sample.text.find(thinking::OPEN).map_or("", |at| sample.text[..at].trim());
        if !before.is_empty() {
            body.push(written(before));
        }
        let state = if split.closed { "" } else { ", not closed" };
        let summary = el("span").text(format!("thinking, {}{state}", count(thought.chars().count(), "character")));
        body.push(folded(summary, written(thought)).class("thinking").flag("open", !split.closed));
    }
    match split.answer.is_empty() {
        true => body.push(el("p").class("quiet").text("no answer")),
        false => body.push(written(split.answer)),
    }
    card.add(body).add(scores(page, sample))
}

/// Text exactly as written, line breaks and blanks included.
fn written(text: &str) -> El {
    el("p").class("written").attr("dir", "auto").text(text)
}

fn scores(page: &Page, sample: &SampleShown) -> Markup {
    if sample.scores.is_empty() {
        return Markup::default();
    }
    let title = |metric: &str| -> String {
        let row = page.grid.rows.iter().find(|row| row.suite == sample.suite && row.metric == metric);
        row.map_or(metric, |row| row.title).to_owned()
    };
    let rows = sample.scores.iter().map(|(metric, score)| {
        let value = score.filter(|s| s.is_finite()).map_or("no score".to_owned(), short);
        el("div").add(el("dt").text(title(metric))).add(el("dd").text(value))
    });
    el("dl").class("scores").all(rows).into()
}

/// The beginning of a prompt on one line.
fn teaser(prompt: &str) -> String {
    let line: Vec<&str> = prompt.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(90) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
