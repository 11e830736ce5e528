//! `temper data inspect`: rows as the model will see them.

use std::process::ExitCode;

use serde_json::json;
use temper_data::{DataError, Row, RowView};
use temper_report::{Look, RowOptions};

use super::source::Source;
use crate::args::InspectArgs;
use crate::commands;
use crate::error::CliError;

/// Shows rows. Exit code 1 when none of them could be read.
pub fn inspect(args: &InspectArgs) -> Result<ExitCode, CliError> {
    let mut source = Source::open(&args.source)?;
    if args.row.is_empty() {
        source.limit(args.skip, None);
    }
    let items = match args.row.as_slice() {
        [] => source.rows()?.take(args.rows).collect(),
        wanted => find(&source, wanted)?,
    };
    let encoding = source.encoding();
    let pieces = source.tokenizer.as_ref().map(|tokenizer| tokenizer.pieces());
    let view = |row: &Row| match (&encoding, &pieces) {
        (Some(encoding), Some(pieces)) => RowView::encoded(row, &source.source, encoding, pieces),
        _ => RowView::of(row, &source.source),
    };
    let failed = !items.is_empty() && items.iter().all(Result::is_err);
    let code = if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let facts = source.tokenizer.as_ref().and_then(|tokenizer| tokenizer.describe());
    if args.source.json {
        let rows: Vec<RowView> = items.iter().flatten().map(view).collect();
        let unreadable: Vec<String> =
            items.iter().filter_map(|item| item.as_ref().err()).map(DataError::to_string).collect();
        commands::print_json(&json!({
            "source": source.name, "model": source.model, "template": facts, "loss_on": source.learning.loss_on,
            "max_length": source.learning.max_length, "rows": rows, "unreadable": unreadable,
            "notes": source.not_applied(),
        }))?;
        return Ok(code);
    }
    let look = commands::look();
    commands::print(&heading(&source, facts.as_ref(), look))?;
    let options = RowOptions { look, ids: args.ids, full: args.full };
    for item in &items {
        let text = match item {
            Ok(row) => temper_report::render_row(&view(row), options),
            Err(error) => temper_report::render_unreadable(error, look),
        };
        commands::print(&format!("\n{text}"))?;
    }
    if source.tokenizer.is_none() {
        commands::print(
            "\nWith --model DIR (or lab:base) rows are shown token by token, with what is learned marked.\n",
        )?;
    }
    Ok(code)
}

fn heading(source: &Source, facts: Option<&temper_text::TemplateFacts>, look: Look) -> String {
    let mut out = format!("source    {}\n", source.name);
    if let (Some(model), Some(tokenizer)) = (&source.model, &source.tokenizer) {
        out += &format!("model     {model}, {} token ids\n", tokenizer.vocab_size());
        out += &temper_report::render_template(facts, look);
        let learning = &source.learning;
        let by = learning
            .asked
            .as_ref()
            .filter(|asked| !asked.starts_with("--"))
            .map_or(String::new(), |stage| format!(" ({stage})"));
        let most = learning.max_length.map_or(String::new(), |tokens| format!(", at most {tokens} tokens"));
        out += &format!("learned   {}{most}{by}\n", learning.loss_on.name());
        out += &temper_report::render_legend(look);
    }
    for note in source.not_applied() {
        out += &format!("note      {note}\n");
    }
    out
}

/// The rows of these ids, places or lines, in the order of the source. Reading ends with the last of them.
fn find(source: &Source, wanted: &[String]) -> Result<Vec<Result<Row, DataError>>, CliError> {
    let mut open: Vec<&String> = wanted.iter().collect();
    let mut found = Vec::new();
    for item in source.rows()? {
        let (id, file, line) = match &item {
            Ok(row) => (row.id.as_str(), &*row.file, Some(row.line)),
            Err(error) => ("", error.file.as_str(), error.line),
        };
        let line = line.map_or(String::new(), |line| line.to_string());
        let place = format!("{file}:{line}");
        let is = |name: &str| name == id || name == line || place == name || place.ends_with(&format!("/{name}"));
        let count = open.len();
        open.retain(|name| !is(name));
        if open.len() < count {
            found.push(item);
        }
        if open.is_empty() {
            return Ok(found);
        }
    }
    let missing: Vec<&str> = open.into_iter().map(String::as_str).collect();
    Err(CliError::message(format!(
        "--row {}: {} has no such row. Give an id, FILE:LINE, or a line's number",
        missing.join(" --row "),
        source.name
    )))
}
