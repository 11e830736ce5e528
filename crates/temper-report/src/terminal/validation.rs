//! What the checks of data found.

use temper_data::{Finding, Firewall, Overlap, Purpose, Severity, Validation};

use super::look::{Look, Paint};
use super::table::{pad, width, wrap};
use crate::number::{count, grouped};

/// The findings of one source, grouped by how serious they are.
pub fn render_validation(found: &Validation, look: Look) -> String {
    let readable = match found.unreadable {
        0 => "all readable".to_owned(),
        _ => format!("{} readable", grouped((found.rows - found.unreadable) as f64)),
    };
    let what = match found.purpose {
        Purpose::Ask => "as prompts".to_owned(),
        _ => format!("{} with a completion", grouped(found.completions as f64)),
    };
    let mut out = wrap("", &format!("{}, {readable}, {what}", count(found.rows, "row")), look.width);
    if let Some(report) = found.encoded.as_ref().filter(|report| report.examples > 0) {
        let share = 100.0 * report.targets as f64 / report.tokens.max(1) as f64;
        let text = format!(
            "{}, {}, {} learned ({share:.1} %)",
            count(report.examples, "example"),
            count(report.tokens as usize, "token"),
            grouped(report.targets as f64)
        );
        out.push_str(&wrap("", &text, look.width));
    }
    for (severity, title) in
        [(Severity::Stop, "Stops a run"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")]
    {
        let leaks: Vec<&Firewall> = found.leaks.iter().filter(|leak| leak_severity(leak) == Some(severity)).collect();
        let findings: Vec<&Finding> = found.findings.iter().filter(|finding| finding.severity == severity).collect();
        if leaks.is_empty() && findings.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}\n", look.paint(paint(severity), title)));
        for leak in leaks {
            out.push_str(&leaked(leak, severity, look));
        }
        for finding in findings {
            out.push_str(&one(finding, look));
        }
    }
    if !found.leaks.is_empty() {
        out.push_str(&format!("\n{}", held_out(&found.leaks, &found.overlaps, look)));
    }
    if !found.not_checked.is_empty() {
        out.push_str(&format!("\n{}\n", look.paint(Paint::Dim, "Not checked")));
        for what in &found.not_checked {
            out.push_str(&look.paint(Paint::Dim, &wrap("  ", what, look.width)));
        }
    }
    out
}

/// The last line: whether a run would begin.
pub fn render_verdict(stops: usize, warnings: usize, look: Look) -> String {
    let also = match warnings {
        0 => String::new(),
        _ => format!("; {}", count(warnings, "warning")),
    };
    match stops {
        0 => look.paint(Paint::Good, &format!("✓ Nothing stops a run{also}.")) + "\n",
        1 => look.paint(Paint::Bad, &format!("✗ A run would stop: 1 check fails{also}.")) + "\n",
        _ => look.paint(Paint::Bad, &format!("✗ A run would stop: {stops} checks fail{also}.")) + "\n",
    }
}

fn paint(severity: Severity) -> Paint {
    match severity {
        Severity::Stop => Paint::Bad,
        Severity::Warning => Paint::Warn,
        Severity::Note => Paint::Bold,
    }
}

fn one(finding: &Finding, look: Look) -> String {
    let share = if finding.count == 0 { String::new() } else { format!("{}: ", share(finding)) };
    let what = finding.what.trim_end_matches('.');
    let mut out = wrap(&format!("  {}  ", pad(&finding.check, 16)), &format!("{share}{what}"), look.width);
    if !finding.places.is_empty() {
        let more = if finding.count > finding.places.len() { ", …" } else { "" };
        let text = format!("{}{more}", places(&finding.places));
        out.push_str(&look.paint(Paint::Dim, &wrap(&" ".repeat(20), &text, look.width)));
    }
    if !finding.remedy.is_empty() {
        out.push_str(&wrap(&format!("{}→ ", " ".repeat(20)), &finding.remedy, look.width));
    }
    out
}

fn share(finding: &Finding) -> String {
    let percent = 100.0 * finding.count as f64 / finding.of.max(1) as f64;
    let percent = if percent > 0.0 && percent < 0.05 { "under 0.1".to_owned() } else { format!("{percent:.1}") };
    format!("{} of {} ({percent} %)", grouped(finding.count as f64), count(finding.of, "row"))
}

fn leak_severity(leak: &Firewall) -> Option<Severity> {
    match (leak.exact, leak.near + leak.edited) {
        (0, 0) => None,
        (0, _) => Some(Severity::Warning),
        _ => Some(Severity::Stop),
    }
}

fn leaked(leak: &Firewall, severity: Severity, look: Look) -> String {
    let text = format!(
        "{} of {} of {} are training rows, {} more nearly, {} with a few words changed",
        grouped(leak.exact as f64),
        count(leak.items, "item"),
        leak.suite,
        grouped(leak.near as f64),
        grouped(leak.edited as f64)
    );
    let mut out = wrap(&format!("  {}  ", pad("held_out", 16)), &text, look.width);
    let pairs: Vec<String> = leak.examples.iter().map(|(item, row)| format!("{item} is {row}")).collect();
    out.push_str(&look.paint(Paint::Dim, &wrap(&" ".repeat(20), &pairs.join(", "), look.width)));
    let remedy = match severity {
        Severity::Stop => "Leave them out of training (`temper data decontaminate`, or `clean: {decontaminate: 10}`)",
        _ => "Look at them; `temper data decontaminate` takes out what shares 10 words in a row",
    };
    out.push_str(&wrap(&format!("{}→ ", " ".repeat(20)), remedy, look.width));
    out
}

/// What of each held-out set is among the rows, one line for a set.
fn held_out(leaks: &[Firewall], overlaps: &[Overlap], look: Look) -> String {
    let names = leaks.iter().map(|leak| width(&leak.suite)).max().unwrap_or(0).clamp(6, look.width / 3);
    let mut out = look.paint(Paint::Bold, &pad("Held out", names + 2));
    let ngram = overlaps.first().map_or(0, |overlap| overlap.ngram);
    let title = format!("   items  exact   near edited  share {ngram} words");
    out.push_str(&format!("{}\n", look.paint(Paint::Dim, &title)));
    for leak in leaks {
        let overlap = overlaps.iter().find(|overlap| overlap.set == leak.suite);
        let shared = overlap.map_or(0, |overlap| overlap.items_touched);
        let rows = overlap
            .filter(|_| shared > 0)
            .map_or(String::new(), |overlap| format!(" (in {})", count(overlap.rows_touched, "row")));
        let number = |n: usize| grouped(n as f64);
        let line = format!(
            "  {}{:>8}{:>7}{:>7}{:>7}{:>8}{rows}\n",
            pad(&ending(&leak.suite, names), names),
            number(leak.items),
            number(leak.exact),
            number(leak.near),
            number(leak.edited),
            number(shared)
        );
        out.push_str(&match leak_severity(leak) {
            Some(severity) => look.paint(paint(severity), &line),
            None => line,
        });
    }
    // Examples of one or two sets; of many they would bury the table.
    for example in overlaps.iter().filter(|_| overlaps.len() < 3).flat_map(|overlap| overlap.examples.iter().take(2)) {
        let text = format!("{} and {}: {:?}", example.item, example.row, example.words);
        out.push_str(&look.paint(Paint::Dim, &wrap("  ", &text, look.width)));
    }
    out
}

/// The end of a long name, which tells files of one folder apart.
fn ending(name: &str, columns: usize) -> String {
    let count = name.chars().count();
    match width(name) > columns {
        true => format!("…{}", name.chars().skip(count.saturating_sub(columns.saturating_sub(1))).collect::<String>()),
        false => name.to_owned(),
    }
}

/// Places as `file:line`, with the file said once where the next is in it too.
fn places(places: &[String]) -> String {
    let mut before = "";
    let mut out: Vec<&str> = Vec::with_capacity(places.len());
    for place in places {
        let file = place.rfind(':').map_or("", |at| &place[..at]);
        out.push(if !file.is_empty() && file == before { &place[file.len()..] } else { place });
        before = file;
    }
    out.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &str, severity: Severity, count: usize) -> Finding {
        Finding {
            check: check.into(),
            severity,
            count,
            of: 10_000,
            what: "something is not as it should be in this row.".into(),
            remedy: "Correct the row, or leave it out with `filter`".into(),
            places: (1..=count.min(5)).map(|line| format!("train.jsonl:{line}")).collect(),
        }
    }

    fn example() -> Validation {
        let leak = |suite: &str, exact, near| Firewall {
            suite: suite.into(),
            items: 100,
            exact,
            near,
            edited: 0,
            examples: vec![("test.jsonl:1".into(), "train.jsonl:9".into())],
        };
        Validation {
            purpose: Purpose::Learn,
            rows: 10_000,
            unreadable: 3,
            completions: 9_997,
            encoded: None,
            findings: vec![
                finding("unreadable", Severity::Stop, 3),
                finding("cut", Severity::Warning, 700),
                finding("pad_is_eos", Severity::Note, 0),
            ],
            leaks: vec![leak("exact", 2, 1), leak("near", 0, 4), leak("clean", 0, 0)],
            overlaps: Vec::new(),
            not_checked: vec!["what was not looked at".into()],
        }
    }

    #[test]
    fn findings_are_grouped_with_counts_places_and_remedies() {
        for columns in [60, 100] {
            let text = render_validation(&example(), Look::plain(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}\n{text}");
            let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}\n{text}"));
            assert!(at("Stops a run") < at("held_out") && at("held_out") < at("unreadable"));
            assert!(at("unreadable") < at("Warnings") && at("Warnings") < at("cut ") && at("cut ") < at("Notes"));
            assert!(at("Notes") < at("Held out") && at("  clean ") < at("Not checked"));
        }
        let text = render_validation(&example(), Look::plain(100));
        for expected in [
            "3 of 10,000 rows (under 0.1 %)",
            "700 of 10,000 rows (7.0 %)",
            "train.jsonl:1, :2, :3, :4, :5, …",
            "→ Correct the row",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn the_verdict_counts() {
        assert_eq!((example().stops(), example().warnings()), (2, 3));
        let look = Look::plain(80);
        assert_eq!(render_verdict(0, 0, look), "✓ Nothing stops a run.\n");
        assert_eq!(render_verdict(2, 1, look), "✗ A run would stop: 2 checks fail; 1 warning.\n");
        assert!(render_verdict(1, 0, Look { width: 80, colour: true }).starts_with("\x1b[1;31m✗"));
    }
}
