//! Judgements of costly scorers, kept on disk.
//!
//! A judgement is found again by the digest of all that it depends on: the scorer's own digest, the row and the completion
//! with its tokens. One SQLite file for all scorers and all processes of Temper. Errors are not kept. A cache that cannot be
//! used is told of once, and does no harm.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Better, Judged, Nature, Part, Sample, Score, Scorer};

/// Name of the file in the cache folder.
const FILE: &str = "scores.sqlite";

/// Where judgements of costly scorers are kept, if anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreCache(Option<PathBuf>);

impl ScoreCache {
    /// `scores.sqlite` in the [cache folder](temper_data::cache_dir); nowhere where `TEMPER_SCORE_CACHE` is `0`.
    pub fn usual() -> Self {
        match std::env::var_os("TEMPER_SCORE_CACHE").is_some_and(|value| value == "0") {
            true => ScoreCache(None),
            false => ScoreCache(Some(temper_data::cache_dir())),
        }
    }

    /// In this folder.
    pub fn at(folder: &Path) -> Self {
        ScoreCache(Some(folder.to_owned()))
    }

    /// Nowhere: every sample is judged anew.
    pub fn none() -> Self {
        ScoreCache(None)
    }

    /// The scorer, with its judgements kept here if it is costly.
    pub(crate) fn around(&self, scorer: Arc<dyn Scorer>) -> Arc<dyn Scorer> {
        match &self.0 {
            Some(folder) if scorer.costly() => Arc::new(Cached { scorer, file: folder.join(FILE) }),
            _ => scorer,
        }
    }
}

/// A scorer whose judgements are kept.
struct Cached {
    scorer: Arc<dyn Scorer>,
    file: PathBuf,
}

impl Scorer for Cached {
    fn name(&self) -> &str {
        self.scorer.name()
    }
    fn title(&self) -> String {
        self.scorer.title()
    }
    fn digest(&self) -> String {
        self.scorer.digest()
    }
    fn identity(&self) -> Value {
        self.scorer.identity()
    }
    fn part(&self) -> Part {
        self.scorer.part()
    }
    fn better(&self) -> Better {
        self.scorer.better()
    }
    fn range(&self) -> Option<(f64, f64)> {
        self.scorer.range()
    }
    fn nature(&self) -> Nature {
        self.scorer.nature()
    }
    fn costly(&self) -> bool {
        true
    }
    fn asks(&self) -> Option<String> {
        self.scorer.asks()
    }
    fn tags(&self, sample: &Sample) -> Vec<&'static str> {
        self.scorer.tags(sample)
    }

    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        let Some(store) = store(&self.file) else { return self.scorer.judge(samples) };
        let digest = self.scorer.digest();
        let keys: Vec<[u8; 32]> = samples.iter().map(|sample| key(&digest, sample)).collect();
        let mut found = store.find(&keys);
        // Equal samples are judged once.
        let mut missing: BTreeMap<&[u8; 32], usize> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate() {
            if !found.contains_key(key) {
                missing.entry(key).or_insert(at);
            }
        }
        let mut order: Vec<usize> = missing.into_values().collect();
        order.sort_unstable();
        let asked: Vec<Sample> = order.iter().map(|at| samples[*at]).collect();
        let judged = if asked.is_empty() { Vec::new() } else { self.scorer.judge(&asked) };
        let new: Vec<([u8; 32], Judged)> = order.iter().map(|at| keys[*at]).zip(judged).collect();
        store.keep(new.iter().filter(|(_, judged)| !matches!(judged.score, Score::Error(_))));
        found.extend(new);
        let none = || Judged::from(Score::Error("the scorer gave no score for the sample".into()));
        keys.iter().map(|key| found.get(key).cloned().unwrap_or_else(none)).collect()
    }
}

/// SHA-256 of all that a judgement depends on. A row's place and id are no part of it.
fn key(digest: &str, sample: &Sample) -> [u8; 32] {
    let mut row = serde_json::to_value(sample.row).unwrap_or_default();
    if let Value::Object(row) = &mut row {
        for place in ["file", "line", "id"] {
            row.remove(place);
        }
    }
    let of = json!([digest, row, sample.text, sample.tokens, sample.truncated, sample.ids, sample.logprobs]);
    Sha256::digest(of.to_string()).into()
}

/// An open cache.
struct Store {
    file: PathBuf,
    connection: Mutex<Option<Connection>>,
}

/// The cache of this file, opened on first use and then shared; `None` where it cannot be used.
fn store(file: &Path) -> Option<Arc<Store>> {
    static STORES: OnceLock<Mutex<HashMap<PathBuf, Option<Arc<Store>>>>> = OnceLock::new();
    let mut stores = lock(STORES.get_or_init(Mutex::default));
    let open = || match open(file) {
        Ok(connection) => Some(Arc::new(Store { file: file.to_owned(), connection: Mutex::new(Some(connection)) })),
        Err(error) => {
            warn(file, &error);
            None
        }
    };
    stores.entry(file.to_owned()).or_insert_with(open).clone()
}

fn warn(file: &Path, error: &dyn std::fmt::Display) {
    eprintln!(
        "temper: the cache of scores {} cannot be used: {error}. Every sample is judged anew; remove the file, or set \
         TEMPER_CACHE to a folder that can be written",
        file.display()
    );
}

fn open(file: &Path) -> Result<Connection, Box<dyn std::error::Error>> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS judged (key BLOB PRIMARY KEY, score TEXT NOT NULL, answer TEXT, explanation TEXT) \
         WITHOUT ROWID",
    )?;
    Ok(connection)
}

impl Store {
    fn find(&self, keys: &[[u8; 32]]) -> HashMap<[u8; 32], Judged> {
        self.with(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT score, answer, explanation FROM judged WHERE key = ?1")?;
            let mut found = HashMap::new();
            for key in keys {
                let row = statement
                    .query_row(params![key.as_slice()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
                    .optional()?;
                if let Some((score, answer, explanation)) = row
                    && let Ok(score) = serde_json::from_str(&score)
                {
                    found.insert(*key, Judged { score, answer, explanation });
                }
            }
            Ok(found)
        })
        .unwrap_or_default()
    }

    fn keep<'a>(&self, judged: impl Iterator<Item = &'a ([u8; 32], Judged)>) {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let mut statement =
                    transaction.prepare_cached("INSERT OR REPLACE INTO judged VALUES (?1, ?2, ?3, ?4)")?;
                for (key, judged) in judged {
                    let score = serde_json::to_string(&judged.score).unwrap_or_default();
                    statement.execute(params![key.as_slice(), score, judged.answer, judged.explanation])?;
                }
            }
            transaction.commit()
        });
    }

    /// Works on the cache; after an error it is used no more.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut connection = lock(&self.connection);
        match work(connection.as_mut()?) {
            Ok(result) => Some(result),
            Err(error) => {
                warn(&self.file, &error);
                *connection = None;
                None
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::row;

    /// Counts the samples that it judges; the score is the length of the text, `?` is unscored, `!` an error.
    struct Counting {
        judged: Arc<AtomicUsize>,
        digest: &'static str,
    }

    impl Scorer for Counting {
        fn name(&self) -> &str {
            "counting"
        }
        fn digest(&self) -> String {
            self.digest.to_owned()
        }
        fn part(&self) -> Part {
            Part::Whole
        }
        fn better(&self) -> Better {
            Better::Higher
        }
        fn costly(&self) -> bool {
            true
        }
        fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
            self.judged.fetch_add(samples.len(), Ordering::SeqCst);
            let score = |sample: &Sample| match sample.text {
                "?" => Score::Unscored("unclear".into()),
                "!" => Score::Error("broke".into()),
                text => Score::Value(text.len() as f64 / 3.0),
            };
            samples.iter().map(|sample| Judged::answering(score(sample), sample.text).because("why")).collect()
        }
    }

    fn counting(cache: &ScoreCache, digest: &'static str) -> (Arc<dyn Scorer>, Arc<AtomicUsize>) {
        let judged = Arc::new(AtomicUsize::new(0));
        (cache.around(Arc::new(Counting { judged: judged.clone(), digest })), judged)
    }

    #[test]
    fn what_was_judged_is_found_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ScoreCache::at(folder.path());
        let row = row(json!({"answer": "4"}));
        let samples: Vec<Sample> =
            ["a", "?", "!", "bb", "a"].iter().map(|text| Sample::new(&row, text, 1, false)).collect();
        let (scorer, count) = counting(&cache, "d1");
        let first = scorer.judge(&samples);
        assert_eq!(count.load(Ordering::SeqCst), 4, "equal samples are judged once");
        assert_eq!(first[0], first[4]);
        let (again, count) = counting(&cache, "d1");
        assert_eq!(again.judge(&samples), first);
        assert_eq!(count.load(Ordering::SeqCst), 1, "only the error is asked for again");

        let ask = |digest, sample: Sample| {
            let (scorer, count) = counting(&cache, digest);
            scorer.judge(&[sample]);
            count.load(Ordering::SeqCst)
        };
        assert_eq!(ask("d1", samples[0]), 0);
        assert_eq!(ask("d2", samples[0]), 1, "another scorer");
        assert_eq!(ask("d1", Sample::new(&row, "a", 2, false)), 1, "another number of tokens");
        assert_eq!(ask("d1", samples[0].with_tokens(&[1], &[])), 1, "other tokens");
        let mut other = row.clone();
        other.fields.insert("level".into(), json!(1));
        assert_eq!(ask("d1", Sample::new(&other, "a", 1, false)), 1, "another field");
        other = row.clone();
        (other.line, other.id) = (77, "other".into());
        assert_eq!(ask("d1", Sample::new(&other, "a", 1, false)), 0, "the same row elsewhere");
    }

    #[test]
    fn a_broken_cache_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "this is no database, however long the text may be".repeat(50))
            .unwrap();
        let row = row(json!({}));
        for cache in [ScoreCache::at(folder.path()), ScoreCache::at(Path::new("/dev/null/x")), ScoreCache::none()] {
            let (scorer, count) = counting(&cache, "d");
            for asked in 1..3 {
                assert_eq!(scorer.score(&[Sample::new(&row, "abc", 1, false)]), [Score::Value(1.0)]);
                assert_eq!(count.load(Ordering::SeqCst), asked);
            }
        }
    }

    #[test]
    fn several_threads_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ScoreCache::at(folder.path());
        let row = row(json!({}));
        let texts: Vec<String> = (0..200).map(|n| "x".repeat(n + 1)).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (scorer, _) = counting(&cache, "d");
                    for text in &texts {
                        scorer.judge(&[Sample::new(&row, text, 1, false)]);
                    }
                });
            }
        });
        let (scorer, count) = counting(&cache, "d");
        let samples: Vec<Sample> = texts.iter().map(|text| Sample::new(&row, text, 1, false)).collect();
        assert_eq!(scorer.judge(&samples).len(), 200);
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}
