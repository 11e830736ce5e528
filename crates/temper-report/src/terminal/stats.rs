//! What a data source is like.

use temper_data::{Column, Lengths, Repeats, Stats, Tokenised};

use super::histogram::{bars, histogram};
use super::look::{Look, Paint};
use super::table::{pad, width, wrap};
use crate::number::{count, grouped};

/// Languages that are shown.
const LANGUAGES: usize = 10;

/// Statistics as text of at most the look's width.
pub fn render_stats(stats: &Stats, look: Look) -> String {
    let mut out = overview(stats, look);
    out.push('\n');
    out.push_str(&lengths(stats, look));
    match &stats.tokens {
        Some(tokens) => {
            for (title, lengths) in [
                ("tokens of a row", &tokens.whole),
                ("learned tokens of a row", &tokens.learned),
                ("tokens of a prompt", &tokens.prompt),
            ] {
                // Rows that only ask have nothing but prompts.
                if title != "tokens of a prompt" || tokens.examples == 0 {
                    out.push_str(&spaced(&histogram(title, lengths, look)));
                }
            }
        }
        None => {
            out.push_str(&spaced(&histogram("characters of a prompt", &stats.characters.prompt, look)));
            out.push_str(&spaced(&histogram("characters of a completion", &stats.characters.completion, look)));
        }
    }
    if stats.turns.max > 2 {
        out.push_str(&spaced(&histogram("turns of a dialogue", &stats.turns, look)));
    }
    out.push_str(&languages(stats, look));
    out.push_str(&columns(&stats.columns, stats.more_columns, look));
    out
}

fn spaced(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n{text}") }
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.1} %", if whole == 0.0 { 0.0 } else { 100.0 * part / whole })
}

fn overview(stats: &Stats, look: Look) -> String {
    let line = |name: &str, text: &str| wrap(&format!("{} ", pad(name, 11)), text, look.width);
    let shapes: Vec<String> = stats
        .shapes
        .iter()
        .map(|(shape, rows)| match stats.shapes.len() {
            1 => shape.name().to_owned(),
            _ => format!("{} {}", shape.name(), grouped(*rows as f64)),
        })
        .collect();
    let mut out = line("rows", &format!("{} ({})", grouped(stats.rows as f64), shapes.join(", ")));
    if stats.unreadable > 0 {
        let text = format!(
            "{}; the first: {}",
            count(stats.unreadable, "row"),
            stats.reasons.first().map_or("", String::as_str)
        );
        out.push_str(&look.paint(Paint::Bad, &line("unreadable", &text)));
    }
    out.push_str(&line("duplicates", &repeats(&stats.duplicate_rows, stats.rows)));
    if let Some(prompts) = stats.duplicate_prompts.filter(|prompts| *prompts != stats.duplicate_rows) {
        out.push_str(&line("", &format!("of prompts alone: {}", repeats(&prompts, stats.rows))));
    }
    if let Some(tokens) = &stats.tokens {
        out.push_str(&encoded(tokens, look));
    }
    out
}

fn repeats(found: &Repeats, rows: usize) -> String {
    let near = match found.near_of {
        of if of == rows => format!("{} nearly", grouped(found.near as f64)),
        of => format!("{} of the first {} nearly", grouped(found.near as f64), grouped(of as f64)),
    };
    match found.exact + found.near {
        0 => "none, exact or near".into(),
        _ => format!("{} exactly ({}), {near}", grouped(found.exact as f64), percent(found.exact as f64, rows as f64)),
    }
}

fn encoded(tokens: &Tokenised, look: Look) -> String {
    let line = |name: &str, text: &str| wrap(&format!("{} ", pad(name, 11)), text, look.width);
    let mut out = String::new();
    if tokens.examples > 0 {
        let share = percent(tokens.targets as f64, tokens.tokens as f64);
        out.push_str(&line(
            "learned",
            &format!(
                "{} of {} tokens ({share}) in {}",
                grouped(tokens.targets as f64),
                grouped(tokens.tokens as f64),
                count(tokens.examples, "example")
            ),
        ));
    }
    if let Some((limit, rows)) = tokens.longer {
        let text = format!("{} longer than {} tokens", count(rows, "example"), grouped(limit as f64));
        let text = line("too long", &text);
        out.push_str(&if rows > 0 { look.paint(Paint::Warn, &text) } else { text });
    }
    if let Some((limit, loose, packed)) = tokens.fill {
        let text = format!(
            "of {} tokens are filled to {}, packed to {}",
            grouped(limit as f64),
            percent(loose, 1.0),
            percent(packed, 1.0)
        );
        out.push_str(&line("batches", &text));
    }
    if tokens.failed > 0 {
        let text = format!("{} with problems; `temper data validate` shows them", count(tokens.failed, "row"));
        out.push_str(&look.paint(Paint::Warn, &line("checks", &text)));
    }
    out
}

/// The lengths as a table; fewer columns where there is little room.
fn lengths(stats: &Stats, look: Look) -> String {
    let characters = &stats.characters;
    let mut rows = vec![
        ("characters", None),
        ("  prompt", Some(&characters.prompt)),
        ("  completion", Some(&characters.completion)),
        ("  whole row", Some(&characters.whole)),
    ];
    if let Some(tokens) = &stats.tokens {
        rows.extend([
            ("tokens", None),
            ("  prompt", Some(&tokens.prompt)),
            ("  learned", Some(&tokens.learned)),
            ("  whole row", Some(&tokens.whole)),
        ]);
    }
    if stats.turns.count > 0 {
        rows.push(("turns", Some(&stats.turns)));
    }
    rows.retain(|(_, lengths)| lengths.is_none_or(|lengths| lengths.count > 0));
    if characters.completion.count == 0 {
        // A row is then its prompt.
        rows.retain(|(name, lengths)| {
            *name != "  whole row" || !lengths.is_some_and(|lengths| std::ptr::eq(lengths, &characters.whole))
        });
    }
    type Cell = (&'static str, fn(&Lengths) -> String);
    let mut cells: Vec<Cell> = vec![
        ("min", |l| grouped(f64::from(l.min))),
        ("5 %", |l| grouped(f64::from(l.p5))),
        ("50 %", |l| grouped(f64::from(l.p50))),
        ("95 %", |l| grouped(f64::from(l.p95))),
        ("99 %", |l| grouped(f64::from(l.p99))),
        ("max", |l| grouped(f64::from(l.max))),
        ("mean", |l| format!("{:.1}", l.mean)),
        ("total", |l| grouped(l.total as f64)),
    ];
    if look.width < 84 {
        cells.retain(|(name, _)| !matches!(*name, "5 %" | "99 %" | "total"));
    }
    let wide: Vec<usize> = cells
        .iter()
        .map(|(name, cell)| {
            rows.iter().filter_map(|(_, l)| Some(width(&cell((*l)?)))).max().unwrap_or(0).max(width(name)) + 2
        })
        .collect();
    let mut out = " ".repeat(12);
    for ((name, _), wide) in cells.iter().zip(&wide) {
        out.push_str(&look.paint(Paint::Dim, &format!("{name:>wide$}")));
    }
    out.push('\n');
    for (name, lengths) in rows {
        match lengths {
            None => out.push_str(&look.paint(Paint::Bold, name)),
            Some(lengths) => {
                out.push_str(&pad(name, 12));
                for ((_, cell), wide) in cells.iter().zip(&wide) {
                    out.push_str(&format!("{:>wide$}", cell(lengths)));
                }
            }
        }
        out.push('\n');
    }
    out
}

fn languages(stats: &Stats, look: Look) -> String {
    if stats.languages.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(String, usize)> = stats.languages.iter().map(|(code, rows)| (code.clone(), *rows)).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let more: usize = rows.iter().skip(LANGUAGES).map(|(_, rows)| rows).sum();
    if rows.len() > LANGUAGES {
        let others = rows.len() - LANGUAGES;
        rows.truncate(LANGUAGES);
        rows.push((format!("{others} more"), more));
    }
    let of = match stats.languages_of == stats.rows {
        true => String::new(),
        false => format!(", of a sample of {} rows", grouped(stats.languages_of as f64)),
    };
    let what = if stats.characters.completion.count > 0 { "completions" } else { "prompts" };
    let title = look.paint(Paint::Bold, &format!("languages of the {what}{of}"));
    format!("\n{title}\n{}", bars(&rows, stats.languages_of, look))
}

fn columns(columns: &[Column], more: bool, look: Look) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", look.paint(Paint::Bold, "columns"));
    let names = columns.iter().map(|column| width(&column.name)).max().unwrap_or(0).min(24);
    for column in columns {
        let types: Vec<String> = column
            .types
            .iter()
            .map(|(kind, rows)| match column.types.len() {
                1 => (*kind).to_owned(),
                _ => format!("{kind} {}", grouped(*rows as f64)),
            })
            .collect();
        let mut text = match column.rows {
            0 => "always null".to_owned(),
            rows => format!("{} in {}", types.join(", "), count(rows, "row")),
        };
        if let Some(different) = column.different {
            let top: Vec<String> =
                column.top.iter().map(|(value, rows)| format!("{value:?} {}", grouped(*rows as f64))).collect();
            let more = if different > top.len() { ", …" } else { "" };
            text.push_str(&format!("; {}: {}{more}", count(different, "value"), top.join(", ")));
        }
        out.push_str(&wrap(&format!("  {}  ", pad(&column.name, names)), &text, look.width));
    }
    if more {
        out.push_str("  … and more columns, which are not counted\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_data::Parts;
    use temper_recipe::Shape;

    fn example() -> Stats {
        let some = |most: u32| Lengths::of((1..most).collect());
        Stats {
            rows: 900,
            unreadable: 2,
            reasons: vec!["f.jsonl:3: not JSON. Correct it".into()],
            shapes: [(Shape::Text, 100), (Shape::Messages, 800)].into(),
            turns: some(6),
            characters: Parts { prompt: some(900), completion: some(30), whole: some(100_000) },
            languages_of: 500,
            languages: (0..14).map(|i| (format!("l{i}"), i + 1)).collect(),
            duplicate_rows: Repeats { exact: 3, near: 4, near_of: 900 },
            duplicate_prompts: Some(Repeats { exact: 30, near: 4, near_of: 100 }),
            columns: vec![Column {
                name: "kind".into(),
                rows: 9,
                types: [("text", 9)].into(),
                different: Some(2),
                top: vec![("a".into(), 5), ("b".into(), 4)],
            }],
            ..Stats::default()
        }
    }

    #[test]
    fn statistics_keep_to_the_width_and_say_what_was_looked_at() {
        for columns in [60, 100, 140] {
            let text = render_stats(&example(), Look::plain(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}\n{text}");
            for expected in [
                "text 100, messages 800",
                "3 exactly",
                "4 of the first 100 nearly",
                "of a sample of 500 rows",
                "4 more",
                "\"a\" 5",
            ] {
                let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words.contains(expected), "{expected}\n{text}");
            }
        }
        assert!(render_stats(&example(), Look::plain(100)).contains("total"));
        assert!(!render_stats(&example(), Look::plain(60)).contains("total"));
    }

    #[test]
    fn nothing_is_shown_of_what_is_not_there() {
        let text = render_stats(&Stats::default(), Look::plain(80));
        assert!(!text.contains("NaN") && !text.contains("languages"), "{text}");
    }
}
