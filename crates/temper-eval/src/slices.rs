//! Comparisons of two logs slice by slice.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{ItemRecord, PairedComparison, compare};

/// Two logs on the items of one slice value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceComparison {
    /// The slice.
    pub slice: String,
    /// Its value.
    pub value: String,
    /// Every suite and metric that both logs have there.
    pub comparisons: Vec<PairedComparison>,
}

/// Compares two logs as [`compare`] does, within every value of every slice that both have.
pub fn compare_slices(a: &[ItemRecord], b: &[ItemRecord]) -> Vec<SliceComparison> {
    let values = |records: &[ItemRecord]| -> BTreeSet<(String, String)> {
        let all = records.iter().flat_map(|record| &record.slices);
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let both = values(a).intersection(&values(b)).cloned().collect::<Vec<_>>();
    let compared = both.into_iter().map(|(slice, value)| {
        let within = |records: &[ItemRecord]| -> Vec<ItemRecord> {
            records.iter().filter(|record| record.slices.get(&slice) == Some(&value)).cloned().collect()
        };
        let comparisons = compare(&within(a), &within(b));
        SliceComparison { slice, value, comparisons }
    });
    compared.filter(|slice| !slice.comparisons.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use temper_score::Score;

    #[test]
    fn each_value_is_compared_with_itself() {
        let log = |en: f64, zh: f64| -> Vec<ItemRecord> {
            let one = |id: &str, language: &str, value| {
                let mut record = record("s", id, 0, &[("m", Score::Value(value))]);
                record.slices.insert("language".to_owned(), language.to_owned());
                record
            };
            vec![one("1", "en", en), one("2", "en", en), one("3", "zh", zh), one("4", "de", 1.0)]
        };
        let (a, mut b) = (log(0.0, 1.0), log(1.0, 1.0));
        b.pop();
        let compared = compare_slices(&a, &b);
        assert_eq!(compared.len(), 2);
        assert_eq!((compared[0].value.as_str(), compared[0].comparisons[0].difference), ("en", 1.0));
        assert_eq!((compared[1].value.as_str(), compared[1].comparisons[0].n), ("zh", 1));
        assert_eq!(compared[1].comparisons[0].difference, 0.0);
        assert!(compare_slices(&a, &[]).is_empty());
    }
}
