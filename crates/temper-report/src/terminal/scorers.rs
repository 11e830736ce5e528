//! Scorers: the list of types, what they said of given completions, their speed.

use temper_eval::Measurement;
use temper_score::{Better, Nature, Part, ScorerInfo};

use super::table::{grid, pad, width, wrap};
use crate::grid::arrow;
use crate::number::{MISSING, Style, count, grouped};

/// Every scorer type: name, part, direction, nature, and in one sentence what it computes and needs; at most `columns` wide.
pub fn render_scorer_list(types: &[ScorerInfo], columns: usize) -> String {
    let longest = types.iter().map(|info| width(info.r#type)).max().unwrap_or(0);
    let mut out = String::new();
    for info in types {
        let facts = format!("{}, {}, {}", part(info.part), nature(info.nature), direction(info.better));
        let needs = match info.needs {
            [] => String::new(),
            fields => format!(" Needs {}.", fields.join(", ")),
        };
        out.push_str(&format!("{}  {facts}\n", pad(info.r#type, longest)));
        out.push_str(&wrap(&" ".repeat(longest + 2), &format!("{}.{needs}", info.summary), columns));
    }
    out.push_str(&wrap(
        "",
        "Exact scores are right by definition; an estimate errs, and how often is measured against labels before a gate rests on it.",
        columns,
    ));
    out
}

/// The part of a completion in a word.
pub fn part(part: Part) -> &'static str {
    match part {
        Part::Thinking => "thinking",
        Part::Answer => "answer",
        Part::Whole => "whole text",
    }
}

/// The nature of a score in a word.
pub fn nature(nature: Nature) -> &'static str {
    match nature {
        Nature::Exact => "exact",
        Nature::Estimate => "estimate",
    }
}

/// The good direction in words.
pub fn direction(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
        Better::Neither => "describes",
    }
}

/// Measurements of completions that were given: mean with interval, and how many samples came to each of the four outcomes.
pub fn render_scored(measurements: &[Measurement]) -> String {
    let heading = ["scorer", "mean", "95 % interval", "items", "samples", "not applicable", "unscored", "errors"];
    let none = |count: usize| if count == 0 { String::new() } else { grouped(count as f64) };
    let rows: Vec<[String; 8]> = measurements
        .iter()
        .map(|m| {
            let style = if m.binary { Style::Percent } else { Style::decimal([m.value, m.low, m.high]) };
            let interval = style.interval((m.low.is_finite() && m.high.is_finite()).then_some((m.low, m.high)));
            [
                format!("{} {}", m.metric, arrow(m.better)),
                style.value(m.value),
                if interval.is_empty() { MISSING.to_owned() } else { interval },
                grouped(m.n as f64),
                grouped(m.samples as f64),
                none(m.not_applicable),
                none(m.unscored),
                none(m.errors),
            ]
        })
        .collect();
    grid(heading, rows, |column| !matches!(column, 0 | 2))
}

/// How fast a scorer is.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerSpeed {
    /// The scorer.
    pub scorer: String,
    /// Samples per second, all threads together.
    pub samples_per_s: f64,
    /// Samples that were judged, the same ones again and again.
    pub judged: usize,
    /// Share of the samples that got a value.
    pub scored: f64,
    /// The first error, where there was one.
    pub error: Option<String>,
}

/// Speeds as a table, the fastest first.
pub fn render_scorer_bench(
    speeds: &[ScorerSpeed],
    samples: usize,
    bytes: usize,
    threads: usize,
    columns: usize,
) -> String {
    let mut sorted: Vec<&ScorerSpeed> = speeds.iter().collect();
    sorted.sort_by(|a, b| b.samples_per_s.total_cmp(&a.samples_per_s));
    let rows = sorted
        .iter()
        .map(|speed| {
            [
                speed.scorer.clone(),
                grouped(speed.samples_per_s),
                format!("{} µs", Style::decimal([1e6 / speed.samples_per_s]).bare(1e6 / speed.samples_per_s)),
                Style::Percent.value(speed.scored),
            ]
        })
        .collect();
    let mut out = wrap(
        "",
        &format!(
            "{} of {} bytes on average, {}",
            count(samples, "completion"),
            grouped(bytes as f64 / samples.max(1) as f64),
            count(threads, "thread")
        ),
        columns,
    );
    out += &grid(["scorer", "samples/s", "per sample", "got a value"], rows, |column| column > 0);
    for speed in sorted {
        if let Some(error) = &speed.error {
            out += &wrap(&format!("{}: ", speed.scorer), error, columns);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_listed_with_what_they_need() {
        let text = render_scorer_list(&temper_score::registry(), 100);
        assert!(text.contains("accuracy") && text.contains("Needs answer."), "{text}");
        assert!(text.lines().all(|line| width(line) <= 100), "{text}");
    }

    #[test]
    fn speeds_are_sorted_and_errors_shown() {
        let speed = |scorer: &str, samples_per_s: f64, error: Option<&str>| ScorerSpeed {
            scorer: scorer.into(),
            samples_per_s,
            judged: 10,
            scored: 0.5,
            error: error.map(str::to_owned),
        };
        let text =
            render_scorer_bench(&[speed("slow", 1000.0, Some("broke")), speed("fast", 2e6, None)], 10, 1000, 2, 100);
        assert!(text.starts_with("10 completions of 100 bytes on average, 2 threads\n"), "{text}");
        assert!(text.find("fast").unwrap() < text.find("slow").unwrap(), "{text}");
        assert!(text.contains("2,000,000") && text.contains("50.0 %") && text.contains("slow: broke"), "{text}");
    }
}
