//! Training curves: reading `metrics.jsonl`, thinning and smoothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// A curve: (step, value) in order.
pub type Points = Vec<(f64, f64)>;

/// The numbers of one `metrics.jsonl`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// One curve per metric name; values that are `null` or not finite are left out.
    pub curves: BTreeMap<String, Points>,
    /// Lines that are no JSON object, such as one cut off when the process was killed.
    pub broken_lines: usize,
    /// The last step seen.
    pub last_step: f64,
}

/// Reads a `metrics.jsonl`: one JSON object per line, TRL's names, the step under `step` (or else the line's number).
/// `None` when the file is absent or holds nothing.
pub fn read(file: &Path) -> Option<Metrics> {
    let mut metrics = Metrics::default();
    for line in BufReader::new(File::open(file).ok()?).split(b'\n') {
        let line = line.ok()?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(Value::Object(row)) = serde_json::from_slice(&line) else {
            metrics.broken_lines += 1;
            continue;
        };
        let counted = metrics.last_step + 1.0;
        let step = ["step", "global_step"].iter().find_map(|key| row.get(*key)?.as_f64()).unwrap_or(counted);
        metrics.last_step = step;
        for (name, value) in row {
            if let Some(value) = value.as_f64().filter(|v| v.is_finite()) {
                let curve = metrics.curves.entry(name).or_default();
                // A resumed run may log a step again; the later value is the one that counts.
                while curve.last().is_some_and(|(last, _)| *last >= step) {
                    curve.pop();
                }
                curve.push((step, value));
            }
        }
    }
    (!metrics.curves.is_empty()).then_some(metrics)
}

/// At most `limit` points, each the mean of a run of neighbours; unchanged when there are no more than that.
pub fn thin(points: &[(f64, f64)], limit: usize) -> Points {
    if points.len() <= limit || limit == 0 {
        return points.to_vec();
    }
    (0..limit)
        .map(|i| {
            let part = &points[i * points.len() / limit..(i + 1) * points.len() / limit];
            let n = part.len() as f64;
            (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n)
        })
        .collect()
}

/// Centred moving average over `window` points, over those that are there at the ends.
pub fn smooth(points: &[(f64, f64)], window: usize) -> Points {
    let half = window / 2;
    (0..points.len())
        .map(|i| {
            let part = &points[i.saturating_sub(half)..(i + half + 1).min(points.len())];
            (points[i].0, part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64)
        })
        .collect()
}

/// Window of [`smooth`] for `n` points: a twentieth of them, odd, at least 1.
pub fn window(n: usize) -> usize {
    n / 20 / 2 * 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_passes_over_what_is_not_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metrics.jsonl");
        let text = concat!(
            "{\"step\": 1, \"loss\": 2.0, \"kl\": null, \"note\": \"x\"}\n",
            "\n",
            "{\"step\": 2, \"loss\": 1.5}\n",
            "{\"step\": 3, \"loss\": 1.4}\n",
            "{\"step\": 2, \"loss\": 1.6}\n",
            "{\"loss\": 1.0}\n",
            "{\"step\": 4, \"lo"
        );
        std::fs::write(&file, text).unwrap();
        let metrics = read(&file).unwrap();
        assert_eq!(metrics.curves["loss"], [(1.0, 2.0), (2.0, 1.6), (3.0, 1.0)]);
        assert_eq!(metrics.broken_lines, 1);
        assert!(!metrics.curves.contains_key("kl"));
        assert_eq!(read(&dir.path().join("absent")), None);
    }

    #[test]
    fn thinning_keeps_the_mean() {
        let points: Points = (0..1000).map(|i| (i as f64, (i % 7) as f64)).collect();
        let thinned = thin(&points, 300);
        assert_eq!(thinned.len(), 300);
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(thin(&points[..10], 300), points[..10]);
    }

    #[test]
    fn smoothing_averages_neighbours() {
        let points: Points = (0..9).map(|i| (i as f64, i as f64)).collect();
        let smoothed = smooth(&points, 5);
        assert_eq!((smoothed[0], smoothed[4], smoothed[8]), ((0.0, 1.0), (4.0, 4.0), (8.0, 7.0)));
        assert_eq!(smooth(&points, 1), points);
        assert_eq!(window(10), 1);
        assert_eq!(window(200), 11);
    }
}
