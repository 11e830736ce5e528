//! Rows in other guises: paraphrased, translated, encoded, wrapped, with other numbers, with a sentence that changes nothing.
//!
//! A family is a list of numbered variants; the first [`Wording::seen`] of them are for training, the others are held out. What a
//! row becomes is told by the seed, the row's id and the variant alone.

mod arithmetic;
mod distract;
mod draw;
pub mod encodings;
mod numbers;
mod wording;

use crate::error::Place;
use crate::{DataError, Row};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use temper_recipe::{Family, Transform, Variants};
use temper_text::{Completion, Prompt};

use draw::Draw;

/// Fields that a variant gets; a row may not have them already.
const FIELDS: [&str; 5] = ["transform", "variant", "side", "original", "original_prompt"];
/// The value of `transform` and `variant` of a row that was kept as it was.
pub const NONE: &str = "none";

/// What a variant makes of a row.
struct Changed {
    request: String,
    /// The language that is now asked for.
    language: Option<String>,
    /// Fields with new values.
    fields: Vec<(String, Value)>,
    completion: Option<Completion>,
}

impl Changed {
    /// Another wording of the same request.
    fn request(request: String) -> Self {
        Self { request, language: None, fields: Vec::new(), completion: None }
    }
}

/// Why a family cannot change a row.
type Skipped = String;

/// Makes variants of rows and counts what could not be made.
pub struct Transformer {
    spec: Transform,
    made: BTreeMap<&'static str, usize>,
    /// Rows by family and reason.
    skipped: BTreeMap<(&'static str, Skipped), usize>,
    rows: usize,
}

impl Transformer {
    /// A transformer of one data source.
    pub fn new(spec: &Transform) -> Self {
        Self { spec: spec.clone(), made: BTreeMap::new(), skipped: BTreeMap::new(), rows: 0 }
    }

    /// The variants of a row, the row itself first where it is kept.
    ///
    /// # Errors
    /// The row has a field that variants get.
    pub fn apply(&mut self, row: &Row) -> Result<Vec<Row>, DataError> {
        self.rows += 1;
        if let Some(taken) = FIELDS.iter().find(|field| row.fields.contains_key(**field)) {
            let what = "a transform gives rows a field of this name, and the row has one already";
            return Err(Place::line(&row.file, row.line).field(
                taken,
                what,
                "Rename the column, or leave out `transform`",
            ));
        }
        let mut out = Vec::new();
        if self.spec.keep_original {
            out.push(named(row.clone(), NONE, NONE, None, row));
        }
        // Numbers need no wording, and to tell a language takes a while.
        let worded = self.spec.families.iter().any(|family| *family != Family::Numbers);
        let language = if worded { language(row) } else { String::new() };
        for family in self.spec.families.clone() {
            self.variants(family, row, &language, &mut out);
        }
        Ok(out)
    }

    /// What was made and what was left out, in sentences; empty before the first row.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for family in self.spec.families.iter().filter(|_| self.rows > 0) {
            let name = family.name();
            let made = self.made.get(name).copied().unwrap_or(0);
            let left = self.skipped.iter().filter(|((other, _), _)| *other == name);
            let left: Vec<String> = left.map(|((_, reason), count)| format!("{count} not: {reason}")).collect();
            let left = if left.is_empty() { String::new() } else { format!(" ({})", left.join("; ")) };
            notes.push(format!("transform `{name}`: {made} variants of {} rows{left}", self.rows));
        }
        notes
    }

    /// Adds a family's variants of a row, and counts those that cannot be made.
    fn variants(&mut self, family: Family, row: &Row, language: &str, out: &mut Vec<Row>) {
        let (seen, all) = (seen(family), count(family));
        let side = match self.spec.side {
            Variants::Seen => 0..seen,
            Variants::HeldOut => seen..all,
            Variants::All => 0..all,
        };
        let mut order: Vec<usize> = side.collect();
        let wanted = self.spec.per_item.map_or(order.len(), |most| most.min(order.len()));
        if wanted < order.len() {
            Draw::new(self.spec.seed, &[&row.id, family.name(), "variants"], 0).shuffle(&mut order);
        }
        let mut made: Vec<(usize, Row)> = Vec::new();
        let mut reasons: Vec<Skipped> = Vec::new();
        for variant in order {
            if made.len() == wanted {
                break;
            }
            let draw = Draw::new(self.spec.seed, &[&row.id, family.name()], variant as u64);
            match change(family, variant, row, language, draw) {
                Ok(changed) => {
                    let label = format!("{}-{}", family.name(), variant + 1);
                    let side = if variant < seen { Variants::Seen } else { Variants::HeldOut };
                    made.push((
                        variant,
                        named(rewritten(row, changed, &label), family.name(), &label, Some(side), row),
                    ));
                }
                // Another variant of the side may do.
                Err(reason) => reasons.push(reason),
            }
        }
        *self.made.entry(family.name()).or_default() += made.len();
        for reason in reasons.into_iter().take(wanted - made.len()) {
            *self.skipped.entry((family.name(), reason)).or_default() += 1;
        }
        made.sort_by_key(|(variant, _)| *variant);
        out.extend(made.into_iter().map(|(_, row)| row));
    }
}

/// All rows of a source in their guises, with what to say of them.
///
/// # Errors
/// As [`Transformer::apply`]; no row could be changed by any family.
pub fn transform(rows: &[Row], spec: &Transform, source: &str) -> Result<(Vec<Row>, Vec<String>), DataError> {
    let mut transformer = Transformer::new(spec);
    let mut out = Vec::new();
    for row in rows {
        out.extend(transformer.apply(row)?);
    }
    let notes = transformer.notes();
    if transformer.made.values().sum::<usize>() == 0 && !rows.is_empty() {
        let what = format!("no row could be changed: {}", notes.join("; "));
        return Err(Place::file(source).error(what, "Choose other families, or leave out `transform`"));
    }
    Ok((out, notes))
}

/// The rows as they were before they were changed, once each; those that were kept beside their variants are left out.
pub fn originals(rows: &[Row]) -> Vec<Row> {
    let text = |row: &Row, field: &str| row.fields.get(field).and_then(Value::as_str).map(str::to_owned);
    let mut seen: BTreeSet<String> =
        rows.iter().filter(|row| text(row, "transform").as_deref() == Some(NONE)).map(|row| row.id.clone()).collect();
    let mut out = Vec::new();
    for row in rows {
        if let (Some(original), Some(prompt)) = (text(row, "original"), text(row, "original_prompt"))
            && seen.insert(original.clone())
        {
            out.push(Row { id: original, prompt: with_request(&row.prompt, prompt), ..row.clone() });
        }
    }
    out
}

/// The prompt with another request.
fn with_request(prompt: &Prompt, request: String) -> Prompt {
    let mut prompt = prompt.clone();
    match &mut prompt {
        Prompt::Text(text) => *text = request,
        Prompt::Chat(dialogue) => {
            let asked = dialogue.messages.iter().rposition(|message| message.role == "user");
            let at = asked.or(dialogue.messages.len().checked_sub(1));
            if let Some(message) = at.and_then(|at| dialogue.messages.get_mut(at)) {
                message.content = request;
            }
        }
    }
    prompt
}

/// Variants of a family that training may use.
fn seen(family: Family) -> usize {
    match family {
        Family::Language => wording::LANGUAGES_SEEN,
        Family::Numbers => numbers::SEEN,
        _ => wording::of(family).map_or(0, |wording| wording.seen),
    }
}

/// Variants of a family.
fn count(family: Family) -> usize {
    match family {
        Family::Language => wording::LANGUAGES.len(),
        Family::Numbers => numbers::COUNT,
        _ => wording::of(family).map_or(0, |wording| wording.texts.len()),
    }
}

/// What a variant makes of a row.
fn change(family: Family, variant: usize, row: &Row, language: &str, mut draw: Draw) -> Result<Changed, Skipped> {
    let request = row.prompt.request();
    if request.trim().is_empty() {
        return Err("the row asks nothing".to_owned());
    }
    if family == Family::Numbers {
        return numbers::change(row, variant, draw);
    }
    // `{}` in a text is the request, which may hold braces itself.
    let text = |template: &str, request: &str| template.replacen("{}", request, 1);
    if family == Family::Language {
        if row.completion.is_some() {
            return Err("its completion is in another language".to_owned());
        }
        let (template, target) = wording::language(variant, row.file.starts_with("lab:"), language)?;
        return Ok(Changed { language: Some(target.to_owned()), ..Changed::request(text(&template, request)) });
    }
    let template = wording::template(family, variant, language)?;
    let request = match family {
        Family::Base64 => text(template, &encodings::base64(request)),
        Family::Rot13 => text(template, &changed_by(encodings::rot13(request), request)?),
        Family::Leetspeak => {
            let table = encodings::LEET[variant];
            let written = encodings::leet(request, table).ok_or("it has a sign that stands for a letter")?;
            text(&template.replace("{table}", &encodings::spell(table)), &changed_by(written, request)?)
        }
        Family::Distractor => distract::insert(request, &template.replace("{n}", &draw.between(11, 48).to_string())),
        _ => text(template, request),
    };
    Ok(Changed::request(request))
}

/// An encoding that left the text as it was is none.
fn changed_by(encoded: String, request: &str) -> Result<String, Skipped> {
    if encoded == request { Err("it has no letter that the encoding changes".to_owned()) } else { Ok(encoded) }
}

/// The language of a request: the row's field `language`, or what the text looks like; `en` where nothing can be told.
fn language(row: &Row) -> String {
    match row.fields.get("language") {
        Some(Value::String(code)) => code.clone(),
        _ => temper_text::language::identify(row.prompt.request()).map_or("en", |found| found.code).to_owned(),
    }
}

/// The row with a changed request.
fn rewritten(row: &Row, changed: Changed, label: &str) -> Row {
    let mut out = row.clone();
    out.id = format!("{}~{label}", row.id);
    out.prompt = with_request(&row.prompt, changed.request);
    if let Some(completion) = changed.completion {
        out.completion = Some(completion);
        out.completion_ids = None;
    }
    for (name, value) in changed.fields {
        out.fields.insert(name, value);
    }
    if let Some(language) = changed.language
        && let Some(before) = out.fields.insert("language".into(), language.into())
    {
        out.fields.insert("prompt_language".into(), before);
    }
    out
}

/// Gives a row the fields that tell where it is from.
fn named(mut row: Row, family: &str, variant: &str, side: Option<Variants>, original: &Row) -> Row {
    row.fields.insert("transform".into(), family.into());
    row.fields.insert("variant".into(), variant.into());
    if let Some(side) = side {
        row.fields.insert("side".into(), side.name().into());
    }
    row.fields.insert("original".into(), original.id.as_str().into());
    row.fields.insert("original_prompt".into(), original.prompt.request().into());
    row
}

#[cfg(test)]
mod tests;
