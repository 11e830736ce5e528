//! Dividing rows into parts, such as training and validation.
//!
//! All three ways depend on the seed and on what a row is (its id, its stratum, its cluster), never on its position or on the
//! number of threads.

use crate::setting::SettingError;
use crate::units::hash_text;
use std::collections::BTreeMap;

/// Divides rows into parts by shares.
///
/// ```
/// use temper_data::split::Splitter;
/// let split = Splitter::new(&[("train", 0.9), ("validation", 0.1)], 7).unwrap();
/// let part = split.part("gsm8k/train.jsonl:12");
/// assert_eq!(part, split.part("gsm8k/train.jsonl:12"));
/// assert!(["train", "validation"].contains(&split.name(part)));
/// ```
#[derive(Clone, Debug)]
pub struct Splitter {
    parts: Vec<(String, f64)>,
    seed: u64,
}

impl Splitter {
    /// Parts by name and share; the shares are relative to their sum.
    ///
    /// # Errors
    ///
    /// No parts, two of one name, a share that is not a number above 0.
    pub fn new(parts: &[(&str, f64)], seed: u64) -> Result<Self, SettingError> {
        let error = |what: String, remedy: &str| Err(SettingError::new(what, remedy));
        if parts.is_empty() {
            return error("a split has no parts".into(), "Name at least one, with its share");
        }
        for (at, (name, share)) in parts.iter().enumerate() {
            if parts[..at].iter().any(|(earlier, _)| earlier == name) {
                return error(format!("a split has two parts named `{name}`"), "Give every part its own name");
            }
            if !(share.is_finite() && *share > 0.0) {
                return error(
                    format!("part `{name}` of a split has the share {share}, expected a number above 0"),
                    "Give it a share above 0, or leave the part out",
                );
            }
        }
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        Ok(Self { parts: parts.iter().map(|(name, share)| ((*name).to_owned(), share / sum)).collect(), seed })
    }

    /// The name of a part.
    pub fn name(&self, part: usize) -> &str {
        self.parts.get(part).map_or("", |(name, _)| name)
    }

    /// The part of one row, by its id alone: rows that are added or removed change no other row's part. The shares hold as they
    /// do for independent draws.
    pub fn part(&self, id: &str) -> usize {
        let draw = hash_text(id, self.seed) as f64 / 2f64.powi(64);
        let mut below = 0.0;
        let within = |(_, share): &(String, f64)| {
            below += share;
            draw < below
        };
        self.parts.iter().position(within).unwrap_or(self.parts.len() - 1)
    }

    /// The parts of rows given by id and stratum. In each stratum the shares are exact but for rounding, the largest remainders
    /// up; where several strata round alike, different parts gain by it.
    pub fn stratified(&self, rows: &[(&str, &str)]) -> Vec<usize> {
        let mut strata: BTreeMap<&str, Vec<(u64, &str, usize)>> = BTreeMap::new();
        for (at, (id, stratum)) in rows.iter().enumerate() {
            strata.entry(stratum).or_default().push((hash_text(id, self.seed), id, at));
        }
        let mut out = vec![0; rows.len()];
        // What each part is owed from the roundings so far, so that many small strata do not all favour the same part.
        let mut owed = vec![0.0; self.parts.len()];
        for members in strata.values_mut() {
            members.sort_unstable();
            let exact: Vec<f64> = self.parts.iter().map(|(_, share)| share * members.len() as f64).collect();
            let counts = rounded(&exact, &owed);
            for (part, owed) in owed.iter_mut().enumerate() {
                *owed += exact[part] - counts[part] as f64;
            }
            let parts = counts.iter().enumerate().flat_map(|(part, count)| std::iter::repeat_n(part, *count as usize));
            for ((_, _, at), part) in members.iter().zip(parts) {
                out[*at] = part;
            }
        }
        out
    }

    /// The parts of rows given by id and cluster (for example from [`clusters`](crate::clusters)): all rows of a cluster go to
    /// one part. The largest cluster comes first, each goes to the part that lacks most rows, so the shares are as near as the
    /// largest clusters let them be.
    pub fn clustered(&self, rows: &[(&str, usize)]) -> Vec<usize> {
        let mut sizes: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
        for (id, cluster) in rows {
            let hash = hash_text(id, self.seed);
            let (size, least) = sizes.entry(*cluster).or_insert((0, u64::MAX));
            (*size, *least) = (*size + 1, hash.min(*least));
        }
        // A cluster is told by its members, so that its number does not matter.
        let mut order: Vec<(usize, u64, usize)> =
            sizes.into_iter().map(|(cluster, (size, least))| (size, least, cluster)).collect();
        order.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut lacks: Vec<f64> = self.parts.iter().map(|(_, share)| share * rows.len() as f64).collect();
        let mut part_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (size, _, cluster) in order {
            let most = (0..lacks.len()).rev().max_by(|a, b| lacks[*a].total_cmp(&lacks[*b])).unwrap_or(0);
            lacks[most] -= size as f64;
            part_of.insert(cluster, most);
        }
        rows.iter().map(|(_, cluster)| part_of[cluster]).collect()
    }
}

/// Whole numbers with the same sum, each rounded down or up: up where the most is owed.
fn rounded(exact: &[f64], owed: &[f64]) -> Vec<u64> {
    // The remainders decide together with what is owed; the whole parts are never given away.
    let total: f64 = exact.iter().sum::<f64>().round();
    let down: Vec<f64> = exact.iter().map(|x| x.floor()).collect();
    let mut up: Vec<usize> = (0..exact.len()).filter(|i| exact[*i] > down[*i]).collect();
    let gain = |i: &usize| exact[*i] - down[*i] + owed[*i];
    up.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    let missing = (total - down.iter().sum::<f64>()) as usize;
    let mut counts: Vec<u64> = down.iter().map(|x| *x as u64).collect();
    up.into_iter().take(missing).for_each(|i| counts[i] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thirds() -> Splitter {
        Splitter::new(&[("train", 8.0), ("validation", 1.0), ("test", 1.0)], 7).unwrap()
    }

    fn counts(parts: &[usize]) -> [usize; 3] {
        [0, 1, 2].map(|part| parts.iter().filter(|found| **found == part).count())
    }

    #[test]
    fn a_part_depends_on_the_id_alone_and_the_shares_hold() {
        let split = thirds();
        let parts: Vec<usize> = (0..20_000).map(|i| split.part(&format!("train.jsonl:{i}"))).collect();
        let found = counts(&parts);
        // Binomial: 16,000 ± 57 and 2,000 ± 42.
        assert!(found[0].abs_diff(16_000) < 250 && found[1].abs_diff(2000) < 180, "{found:?}");
        let other = Splitter::new(&[("train", 8.0), ("validation", 1.0), ("test", 1.0)], 8).unwrap();
        assert!((0..100).any(|i| other.part(&format!("train.jsonl:{i}")) != parts[i]));
        assert_eq!((split.name(2), split.name(3)), ("test", ""));
        assert_eq!(Splitter::new(&[("all", 0.1)], 1).unwrap().part("x"), 0);
    }

    #[test]
    fn every_stratum_has_its_shares() {
        let ids: Vec<(String, &str)> = (0..1000)
            .map(|i| {
                (
                    format!("r{i}"),
                    if i < 700 {
                        "maths"
                    } else if i < 990 {
                        "chat"
                    } else {
                        "rare"
                    },
                )
            })
            .collect();
        let rows: Vec<(&str, &str)> = ids.iter().map(|(id, stratum)| (id.as_str(), *stratum)).collect();
        let parts = thirds().stratified(&rows);
        assert_eq!(counts(&parts[..700]), [560, 70, 70]);
        assert_eq!(counts(&parts[700..990]), [232, 29, 29]);
        assert_eq!(counts(&parts[990..]), [8, 1, 1]);
        let mut reversed = rows.clone();
        reversed.reverse();
        let mut back = thirds().stratified(&reversed);
        back.reverse();
        assert_eq!(back, parts);
    }

    #[test]
    fn many_small_strata_do_not_favour_one_part() {
        let ids: Vec<(String, String)> = (0..600).map(|i| (format!("r{i}"), format!("s{}", i / 2))).collect();
        let rows: Vec<(&str, &str)> = ids.iter().map(|(id, stratum)| (id.as_str(), stratum.as_str())).collect();
        let found = counts(&thirds().stratified(&rows));
        assert!(found[0].abs_diff(480) <= 2 && found[1].abs_diff(60) <= 2 && found[2].abs_diff(60) <= 2, "{found:?}");
    }

    #[test]
    fn clusters_stay_whole() {
        let ids: Vec<(String, usize)> =
            (0..1000).map(|i| (format!("r{i}"), if i < 100 { 5 } else { 1000 + i / 3 })).collect();
        let rows: Vec<(&str, usize)> = ids.iter().map(|(id, cluster)| (id.as_str(), *cluster)).collect();
        let parts = thirds().clustered(&rows);
        let mut of: BTreeMap<usize, usize> = BTreeMap::new();
        for ((_, cluster), part) in rows.iter().zip(&parts) {
            assert_eq!(of.entry(*cluster).or_insert(*part), part);
        }
        let found = counts(&parts);
        assert!(found[0].abs_diff(800) <= 3 && found[1].abs_diff(100) <= 3, "{found:?}");
        // Neither the order of the rows nor the numbers of the clusters matter.
        let renamed: Vec<(&str, usize)> = rows.iter().rev().map(|(id, cluster)| (*id, 9_000_000 - cluster)).collect();
        let mut back = thirds().clustered(&renamed);
        back.reverse();
        assert_eq!(back, parts);
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do() {
        let error = |parts: &[(&str, f64)]| Splitter::new(parts, 1).unwrap_err().to_string();
        assert!(error(&[]).contains("no parts"));
        assert!(error(&[("a", 1.0), ("a", 1.0)]).contains("two parts named `a`"));
        for share in [0.0, -0.5, f64::NAN] {
            assert!(error(&[("a", 1.0), ("b", share)]).contains("`b`"), "{share}");
        }
    }

    proptest! {
        #[test]
        fn strata_are_cut_within_a_row(sizes in proptest::collection::vec(0usize..40, 1..12), shares in proptest::collection::vec(0.01f64..5.0, 1..5)) {
            let names: Vec<String> = (0..shares.len()).map(|i| i.to_string()).collect();
            let parts: Vec<(&str, f64)> = names.iter().map(String::as_str).zip(shares.iter().copied()).collect();
            let split = Splitter::new(&parts, 3).unwrap();
            let ids: Vec<(String, String)> = sizes.iter().enumerate()
                .flat_map(|(s, size)| (0..*size).map(move |i| (format!("{s}-{i}"), s.to_string()))).collect();
            let rows: Vec<(&str, &str)> = ids.iter().map(|(id, stratum)| (id.as_str(), stratum.as_str())).collect();
            let found = split.stratified(&rows);
            let sum: f64 = shares.iter().sum();
            for (stratum, size) in sizes.iter().enumerate() {
                for (part, share) in shares.iter().enumerate() {
                    let count = rows.iter().zip(&found).filter(|((_, s), p)| *s == stratum.to_string() && **p == part).count();
                    prop_assert!((count as f64 - share / sum * *size as f64).abs() < 1.0 + 1e-9);
                }
            }
        }
    }
}
