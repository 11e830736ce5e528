//! What `temper bench` measured.

use temper_train::{BenchReport, Limit, Spread};

use super::table::{lines, pad, plain, width, wrap};
use crate::WIDTH;
use crate::number::{Style, bytes, count, grouped, si};

/// One measurement as a table: what, median, smallest and largest; then the limits and the distance to them.
pub fn render_bench(report: &BenchReport) -> String {
    let mut rows = vec![["", "median", "min", "max"].map(str::to_owned)];
    let mut add = |name: &str, value: Spread, text: &dyn Fn(f64) -> String| {
        rows.push([name.to_owned(), text(value.median), text(value.min), text(value.max)]);
    };
    let tokens = if report.new_tokens.is_some() { "new tokens per second" } else { "tokens per second" };
    let step = if report.work == "decode" { "time of a batch" } else { "time of a step" };
    add(tokens, report.tokens_per_s, &grouped);
    add(step, report.seconds, &seconds);
    for (name, part) in [("  sampling", report.sampling_seconds), ("  training", report.training_seconds)] {
        if let Some(part) = part {
            add(name, part, &seconds);
        }
    }
    let widths: Vec<usize> = (0..4)
        .map(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0).max(LABEL * usize::from(i == 0)) + 2)
        .collect();
    let mut table = plain(&widths, |column| column > 0);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    let mut out = heading(report) + &lines(&table);
    let mut line = |name: &str, text: String| out.push_str(&format!("{}  {text}\n", pad(name, LABEL)));
    line(
        "operations",
        format!(
            "{}/s, {} of the peak of {}/s ({})",
            si(report.flops_per_s, "FLOP"),
            Style::Percent.value(report.share_of_peak),
            si(report.peak_flops_per_s, "FLOP"),
            report.peak_instructions
        ),
    );
    line("arithmetic limit", limit(report.arithmetic_limit, si(report.flops, "FLOP")));
    if let (Some(read), Some(memory)) = (report.bytes, report.memory_limit) {
        line("memory limit", limit(memory, format!("{} at {}/s", si(read, "B"), si(report.memory_bytes_per_s, "B"))));
    }
    line("peak memory", bytes(report.peak_memory_bytes));
    out
}

/// Columns of the names.
const LABEL: usize = 22;

fn heading(report: &BenchReport) -> String {
    let mut facts = vec![report.dtype.clone(), format!("{} parameters", si(report.parameters as f64, ""))];
    facts.push(match (report.group, report.new_tokens) {
        (Some(group), Some(new)) => {
            format!("{} × {group} completions, {} + {new} tokens", count(report.batch, "prompt"), report.seq)
        }
        (None, Some(new)) => format!("{} of {} + {new} tokens", count(report.batch, "sequence"), report.seq),
        _ => format!("{} of {} tokens", count(report.batch, "sequence"), report.seq),
    });
    facts.push(count(report.threads, "thread"));
    facts.push(count(report.repeats, "repetition"));
    wrap(&format!("{} · ", report.work), &facts.join(" · "), WIDTH)
}

fn limit(limit: Limit, what: String) -> String {
    format!("{} for {what}; reached {}", seconds(limit.seconds), Style::Percent.value(limit.share))
}

/// Three significant digits down to microseconds.
fn seconds(value: f64) -> String {
    if value < 1e-3 {
        format!("{:.3} ms", value * 1e3)
    } else if value < 0.1 {
        format!("{:.2} ms", value * 1e3)
    } else if value < 1.0 {
        format!("{:.0} ms", value * 1e3)
    } else {
        format!("{value:.2} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_reads_as_a_table() {
        let spread = |median| Spread { median, min: median * 0.5, max: median * 2.0 };
        let report = BenchReport {
            work: "decode",
            dtype: "bf16".to_owned(),
            parameters: 5_770_000,
            threads: 2,
            batch: 32,
            group: None,
            seq: 64,
            new_tokens: Some(128),
            repeats: 8,
            seconds: spread(0.5),
            sampling_seconds: None,
            training_seconds: None,
            tokens: 4096,
            tokens_per_s: spread(8192.0),
            flops: 5e10,
            flops_per_s: 1e11,
            peak_flops_per_s: 1e12,
            peak_instructions: "avx512-bf16",
            share_of_peak: 0.1,
            bytes: Some(2e9),
            memory_bytes_per_s: 4e10,
            arithmetic_limit: Limit { seconds: 0.05, share: 0.1 },
            memory_limit: Some(Limit { seconds: 0.05, share: 0.1 }),
            peak_memory_bytes: 100 << 20,
        };
        let text = render_bench(&report);
        for part in
            ["32 sequences of 64 + 128 tokens", "8,192", "500 ms", "10.0 % of the peak of 1.00 TFLOP/s", "100 MiB"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
    }
}
