//! Signs of a hacked reward, for reading.

use temper_eval::hacking::{BestOfN, Correlation, Hacking};

use super::table::{grid, wrap};
use crate::number::{MISSING, Style, count, fixed, grouped};

/// All suites' figures, for checkpoints of these names (the first is the one that the others are held against); at most
/// `columns` wide.
pub fn render_hacking(suites: &[Hacking], names: &[String], columns: usize) -> String {
    let mut out = String::new();
    for found in suites {
        out.push_str(&format!("{}: proxy {}, gold {}\n", found.suite, found.proxy, found.gold));
        for (at, gap) in found.gaps.iter().enumerate() {
            let name = &names[at + 1];
            out += &match gap {
                None => wrap(
                    &format!("  {name}: "),
                    "no gap: no item (same id, repeat and prompt) has both scores in both logs, or a score does not \
                     vary in the first log",
                    columns,
                ),
                Some(gap) => {
                    let verdict = match (gap.low, gap.high) {
                        (low, _) if low > 0.0 => "the proxy promises more than the gold score gives",
                        (_, high) if high < 0.0 => "the gold score gained more than the proxy",
                        _ => "no gap that the items show",
                    };
                    let sd = |value: f64| Style::Decimal(2).difference(value);
                    let left = match gap.left_out {
                        0 => String::new(),
                        n => format!(" ({} without a partner left out)", count(n, "sample")),
                    };
                    wrap(
                        &format!("  {name}: "),
                        &format!(
                            "gap {} [{}, {}] sd: proxy {}, gold {} over {}{left}; {verdict}",
                            sd(gap.gap),
                            sd(gap.low),
                            sd(gap.high),
                            sd(gap.proxy_change),
                            sd(gap.gold_change),
                            count(gap.n, "item"),
                        ),
                        columns,
                    )
                }
            };
            if let Some(gain) = &found.length_gains[at] {
                let style = Style::decimal([gain.gain, gain.at_equal_length]);
                out += &wrap(
                    "    ",
                    &format!(
                        "proxy gain {}, at equal length {} (ratio {}, {} of the completions comparable); mean length {} → {} tokens",
                        style.difference(gain.gain),
                        style.difference(gain.at_equal_length),
                        fixed(gain.ratio, 2),
                        Style::Percent.value(gain.shared),
                        fixed(gain.tokens_before, 1),
                        fixed(gain.tokens_after, 1),
                    ),
                    columns,
                );
            }
        }
        let hack = &found.hackability;
        if hack.pairs > 0 {
            let drop = match hack.hacked {
                0 => String::new(),
                _ => format!(", largest drop {}", fixed(hack.largest_drop, 3)),
            };
            let text = format!(
                "proxy up and gold down in {} of {}{drop}",
                grouped(hack.hacked as f64),
                count(hack.pairs, "pair of checkpoints").replace("checkpointss", "checkpoints")
            );
            out += &wrap("  ", &text, columns);
        }
        for (name, found) in names.iter().zip(&found.correlations) {
            out.push_str(&format!("  {name}: the proxy goes along with\n"));
            out += &correlations(found);
        }
        for ((name, curve), fit) in names.iter().zip(&found.best_of_n).zip(&found.fits) {
            if curve.is_empty() {
                continue;
            }
            out.push_str(&format!("  {name}: best of n by the proxy\n"));
            out += &best_of_n(curve);
            if let Some(fit) = fit {
                let peak = match fit.peak {
                    Some(peak) => format!("highest at √KL {}", fixed(peak, 2)),
                    None => "no peak".to_owned(),
                };
                let (a, b) = (fixed(fit.a, 3), fixed(fit.b, 3));
                out += &wrap("    ", &format!("gold gain ≈ √KL · ({a} − {b} · √KL): {peak}"), columns);
            }
        }
    }
    out
}

fn correlations(found: &[Correlation]) -> String {
    let interval = |interval: Option<(f64, f64)>| match interval {
        Some((low, high)) => format!("[{}, {}]", fixed(low, 2), fixed(high, 2)),
        None => MISSING.to_owned(),
    };
    let rows = found
        .iter()
        .map(|c| {
            [
                format!("    {}", c.with),
                fixed(c.pearson, 2),
                interval(c.pearson_interval),
                fixed(c.spearman, 2),
                interval(c.spearman_interval),
                grouped(c.n as f64),
            ]
        })
        .collect();
    grid(["", "Pearson", "95 % interval", "Spearman", "95 % interval", "items"], rows, |column| column > 0)
}

fn best_of_n(curve: &[BestOfN]) -> String {
    let style = Style::decimal(curve.iter().flat_map(|point| [point.proxy, point.gold]));
    let rows = curve
        .iter()
        .map(|point| {
            let interval = (point.low.is_finite() && point.high.is_finite()).then_some((point.low, point.high));
            [
                format!("    {}", point.n),
                fixed(point.kl, 3),
                style.value(point.proxy),
                style.value(point.gold),
                style.interval(interval),
                grouped(point.items as f64),
            ]
        })
        .collect();
    grid(["    n", "KL", "proxy", "gold", "95 % interval", "items"], rows, |column| column > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::table::width;
    use temper_eval::hacking::{Fit, Gap, Hackability, LengthGain};

    #[test]
    fn a_gap_is_told_with_its_interval() {
        let correlation = Correlation {
            metric: "p".into(),
            with: "tokens".into(),
            n: 40,
            pearson: 0.91,
            pearson_interval: Some((0.85, 0.95)),
            spearman: f64::NAN,
            spearman_interval: None,
        };
        let point = |n: usize| BestOfN { n, kl: 0.1, items: 9, proxy: 1.0, gold: 0.5, low: 0.25, high: 0.75 };
        let found = Hacking {
            suite: "reasoning".into(),
            proxy: "p".into(),
            gold: "g".into(),
            correlations: vec![vec![correlation.clone()], vec![correlation]],
            best_of_n: vec![vec![point(1), point(2)], Vec::new()],
            fits: vec![Some(Fit { a: 1.0, b: 0.25, peak: Some(2.0) }), None],
            gaps: vec![Some(Gap {
                n: 40,
                left_out: 1,
                proxy_change: 1.2,
                gold_change: -0.3,
                gap: 1.5,
                low: 1.0,
                high: 2.0,
            })],
            length_gains: vec![Some(LengthGain {
                gain: 0.5,
                at_equal_length: 0.05,
                ratio: 0.1,
                shared: 0.9,
                tokens_before: 20.0,
                tokens_after: 35.5,
            })],
            hackability: Hackability { pairs: 1, hacked: 1, largest_drop: 0.3 },
        };
        let drawn = render_hacking(&[found], &["base".into(), "tuned".into()], 100);
        assert!(drawn.lines().all(|line| width(line) <= 100), "{drawn}");
        let text = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("tuned: gap +1.50 [+1.00, +2.00] sd: proxy +1.20, gold −0.30 over 40 items"), "{text}");
        assert!(text.contains("the proxy promises more") && text.contains("1 sample without a partner"), "{text}");
        assert!(text.contains("ratio 0.10") && text.contains("in 1 of 1 pair of checkpoints"), "{text}");
        assert!(
            text.contains("highest at √KL 2.00") && text.contains("[0.85, 0.95]") && text.contains(MISSING),
            "{text}"
        );
    }
}
