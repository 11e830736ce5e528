//! A judge that the engine runs: a Hugging Face directory, loaded on first use and shared by all judges that name it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temper_engine::{Finish, Frozen, Key, Model, ModelConfig, Packed, Precision, Request, SamplingParams};
use temper_recipe::HubPath;
use temper_text::{Dialogue, Prompt, Tokenizer};

use super::model::{Failure, How, Input, Reply};

/// Tokens of one forward pass for probabilities or rewards.
pub(super) const BATCH: usize = 8192;

/// How the judge's weights are held in memory. Part of the judge's identity: rounding changes scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Weights {
    /// 4 bytes a weight.
    #[default]
    F32,
    /// 2 bytes a weight, products of bf16.
    Bf16,
    /// 1 byte a weight.
    Int8,
    /// Half a byte a weight.
    Nf4,
}

/// A judge that the engine runs.
pub(crate) struct EngineJudge {
    files: Arc<Files>,
}

/// A model's directory, and the model once it was needed.
pub(super) struct Files {
    pub(super) dir: PathBuf,
    pub(super) config: ModelConfig,
    pub(super) tokenizer: Tokenizer,
    weights: Weights,
    digest: String,
    special: Vec<String>,
    model: OnceLock<Result<Model, String>>,
}

/// Where a model lies, what is in it, how it is held.
type Place = (PathBuf, String, String, Weights);

/// What has been opened and is still in use.
static OPEN: Mutex<Option<HashMap<Place, Weak<Files>>>> = Mutex::new(None);

/// Digests of weights by directory, with what the files looked like when they were read.
static DIGESTS: Mutex<Option<HashMap<PathBuf, (Looks, String)>>> = Mutex::new(None);

/// Folders of models of the Hub by `hf://` path.
static FETCHED: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// Name, length and time of change of the files with the weights.
type Looks = Vec<(String, u64, Option<SystemTime>)>;

impl Files {
    /// The model at a path or of the Hub. Its tokenizer is read and its weights are checked and digested; the model is made when
    /// it is first needed.
    ///
    /// # Errors
    /// What is missing, malformed, or cannot be fetched.
    pub(super) fn open(path: &str, weights: Weights) -> Result<Arc<Self>, String> {
        let path = temper_recipe::expand_env(path).map_err(|error| error.to_string())?;
        let dir = match HubPath::is(&path) {
            true => fetched(&path)?,
            false => PathBuf::from(path),
        };
        let config = ModelConfig::load(&dir).map_err(|error| error.to_string())?;
        let digest = digest(&dir)?;
        let tokenizer = Tokenizer::load(&dir).map_err(|error| error.to_string())?;
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(format!(
                "{}: the tokenizer has {} ids and the embedding {} rows; the directory mixes two models: download it again",
                dir.display(),
                tokenizer.vocab_size(),
                config.vocab_size
            ));
        }
        let place = (std::fs::canonicalize(&dir).unwrap_or(dir.clone()), digest.clone(), tokenizer.digest(), weights);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        open.retain(|_, files| files.strong_count() > 0);
        if let Some(files) = open.get(&place).and_then(Weak::upgrade) {
            return Ok(files);
        }
        let ids = 0..tokenizer.vocab_size() as u32;
        let special = ids.filter(|id| tokenizer.is_special(*id)).map(|id| tokenizer.token(id)).collect();
        let files = Arc::new(Files { dir, config, tokenizer, weights, digest, special, model: OnceLock::new() });
        open.insert(place, Arc::downgrade(&files));
        Ok(files)
    }

    pub(super) fn special_texts(&self) -> &[String] {
        &self.special
    }

    /// The model whatever holds its weights.
    pub(super) fn name(&self) -> String {
        format!("model {}", self.digest)
    }

    pub(super) fn identity(&self) -> Value {
        json!({"files": self.digest, "tokenizer": self.tokenizer.digest(), "weights": self.weights})
    }

    /// The model, read on the first call. A failure stays one.
    ///
    /// A thread of its own, with threads of its own, reads it: callers wait without taking over other work, which might be
    /// another judge that waits for the same model.
    pub(super) fn model(&self) -> Result<&Model, String> {
        let load = || {
            let read = || match self.weights {
                Weights::F32 => Model::load(&self.dir),
                Weights::Bf16 => Model::load_frozen(&self.dir, Frozen::Bf16).map(|mut model| {
                    model.set_precision(Precision::Bf16);
                    model
                }),
                Weights::Int8 => Model::load_frozen(&self.dir, Frozen::Int8),
                Weights::Nf4 => Model::load_frozen(&self.dir, Frozen::Nf4),
            };
            let pool = rayon::ThreadPoolBuilder::new().build().map_err(|error| error.to_string())?;
            std::thread::scope(|scope| scope.spawn(|| pool.install(read)).join())
                .map_err(|_| format!("{}: the model could not be loaded; see the message above", self.dir.display()))?
                .map_err(|error| error.to_string())
        };
        self.model.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

/// The folder of a model of the Hub: the same one for as long as the process lives, even if its branch moves on meanwhile.
fn fetched(path: &str) -> Result<PathBuf, String> {
    let mut fetched = FETCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let fetched = fetched.get_or_insert_default();
    if let Some(dir) = fetched.get(path) {
        return Ok(dir.clone());
    }
    let parsed = HubPath::parse(path).map_err(|error| error.to_string())?;
    let (dir, _) = temper_data::hub::model_dir(&parsed).map_err(|error| error.to_string())?;
    fetched.insert(path.to_owned(), dir.clone());
    Ok(dir)
}

/// The digest of the files with configuration and weights, read once as long as they look the same.
fn digest(dir: &Path) -> Result<String, String> {
    let looks = looks(dir).map_err(|error| format!("{}: {error}; check the folder's rights", dir.display()))?;
    let known = |digests: &mut Option<HashMap<PathBuf, (Looks, String)>>| {
        digests.get_or_insert_default().get(dir).filter(|(then, _)| *then == looks).map(|(_, digest)| digest.clone())
    };
    if let Some(digest) = known(&mut DIGESTS.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(digest);
    }
    let digest = temper_engine::files_digest(dir).map_err(|error| error.to_string())?;
    let mut digests = DIGESTS.lock().unwrap_or_else(PoisonError::into_inner);
    digests.get_or_insert_default().insert(dir.to_owned(), (looks, digest.clone()));
    Ok(digest)
}

fn looks(dir: &Path) -> std::io::Result<Looks> {
    let mut looks = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".safetensors") || name.ends_with(".json") {
            let found = std::fs::metadata(&path)?;
            looks.push((name, found.len(), found.modified().ok()));
        }
    }
    looks.sort();
    Ok(looks)
}

impl EngineJudge {
    /// A judge of this model.
    ///
    /// # Errors
    /// As [`Files::open`]; a sequence classifier; without a chat template where `chat`.
    pub(crate) fn new(path: &str, weights: Weights, chat: bool) -> Result<Self, String> {
        let files = Files::open(path, weights)?;
        let dir = files.dir.display();
        if files.config.num_labels.is_some() {
            return Err(format!("{dir} is a sequence classifier, which writes no text; use the scorer `reward_model`"));
        }
        if chat && !files.tokenizer.has_chat_template() {
            return Err(format!("{dir} has no chat template; this judge is asked in a dialogue: use a chat model"));
        }
        Ok(EngineJudge { files })
    }

    pub(crate) fn name(&self) -> String {
        self.files.name()
    }

    pub(crate) fn identity(&self) -> Value {
        self.files.identity()
    }

    pub(crate) fn special_texts(&self) -> &[String] {
        self.files.special_texts()
    }

    pub(crate) fn ask(&self, inputs: &[Input], how: &How) -> Vec<Result<Reply, Failure>> {
        let model = match self.files.model() {
            Ok(model) => model,
            Err(error) => return inputs.iter().map(|_| Err(Failure::Error(error.clone()))).collect(),
        };
        let prompts: Vec<Result<Vec<u32>, Failure>> = inputs.iter().map(|input| self.ids(input, how)).collect();
        let asked: Vec<Vec<u32>> = prompts.iter().filter_map(|ids| ids.as_ref().ok().cloned()).collect();
        let mut replies = match self.replies(model, &asked, how) {
            Ok(replies) => replies.into_iter(),
            Err(error) => return inputs.iter().map(|_| Err(Failure::Error(error.clone()))).collect(),
        };
        let missing = || Failure::Error("the model gave no reply".to_owned());
        prompts.into_iter().map(|ids| ids.and_then(|_| replies.next().ok_or_else(missing))).collect()
    }

    /// An input as token ids.
    fn ids(&self, input: &Input, how: &How) -> Result<Vec<u32>, Failure> {
        let prompt = match input {
            Input::Raw(text) => Prompt::Text(text.clone()),
            Input::Chat(messages) => {
                Prompt::Chat(Dialogue { messages: messages.clone(), variables: how.chat_template_kwargs.clone() })
            }
        };
        let ids = self.files.tokenizer.encode_prompt(&prompt).map_err(|error| Failure::Error(error.to_string()))?.ids;
        let room = self.files.config.max_position_embeddings;
        if ids.len() >= room {
            return Err(Failure::Unscored(format!(
                "the judge's prompt has {} tokens and its context {room}; use a judge with a longer context",
                ids.len()
            )));
        }
        Ok(ids)
    }

    fn replies(&self, model: &Model, prompts: &[Vec<u32>], how: &How) -> Result<Vec<Reply>, String> {
        let tokenizer = &self.files.tokenizer;
        let params = SamplingParams {
            temperature: 0.0,
            max_new_tokens: how.max_tokens,
            stop_ids: tokenizer.stop_ids(),
            ..SamplingParams::default()
        };
        let key = Key::new(0);
        let requests: Vec<Request> =
            prompts.iter().map(|prompt| Request { prompt: prompt.clone(), keys: vec![key] }).collect();
        let sampled =
            temper_engine::generate(model, &requests, &params, &mut |_| true).map_err(|error| error.to_string())?;
        let mut replies = Vec::with_capacity(prompts.len());
        let mut places = Vec::with_capacity(prompts.len());
        for (prompt, completion) in prompts.iter().zip(sampled.iter().flatten()) {
            let cut = completion.finish == Finish::Length;
            let ids = if cut { &completion.ids[..] } else { &completion.ids[..completion.ids.len().saturating_sub(1)] };
            replies.push(Reply { text: tokenizer.decode(ids, true), cut, words: None });
            let blank = (0..ids.len()).find(|at| !tokenizer.decode(&ids[..=*at], true).trim().is_empty());
            places.push(blank.map(|blank| [prompt, &ids[..blank]].concat()));
        }
        if !how.words.is_empty() {
            for (reply, words) in replies.iter_mut().zip(words(model, tokenizer, &places, how.words)) {
                reply.words = words;
            }
        }
        Ok(replies)
    }
}

/// Probabilities of the words after each of the texts.
fn words(
    model: &Model,
    tokenizer: &Tokenizer,
    places: &[Option<Vec<u32>>],
    words: &[&'static str],
) -> Vec<Option<Vec<f64>>> {
    let firsts = first_tokens(tokenizer, words);
    let more: usize = firsts.iter().map(Vec::len).sum();
    let mut found = vec![None; places.len()];
    let mut at = 0;
    while at < places.len() {
        let (mut batch, mut wanted, mut spots) = (Packed::default(), Vec::new(), Vec::new());
        while at < places.len() {
            let Some(ids) = &places[at] else {
                at += 1;
                continue;
            };
            if !batch.is_empty() && batch.len() + ids.len() + more > BATCH {
                break;
            }
            let prompt = batch.push(ids, None);
            wanted.resize(batch.len(), false);
            for (word, tokens) in firsts.iter().enumerate() {
                for token in tokens {
                    spots.push((at, word, batch.len()));
                    batch.push(&[*token], Some(prompt));
                    wanted.push(true);
                }
            }
            at += 1;
        }
        if batch.is_empty() {
            break;
        }
        let stats = model.score(&batch, 1.0, &wanted);
        for (place, word, spot) in spots {
            let probabilities: &mut Vec<f64> = found[place].get_or_insert_with(|| vec![0.0; words.len()]);
            probabilities[word] = (probabilities[word] + f64::from(stats.logprobs[spot]).exp()).min(1.0);
        }
    }
    found
}

/// The tokens that each word begins with: alone, after a space and after a line end. What two words begin with tells nothing
/// of either.
pub(super) fn first_tokens(tokenizer: &Tokenizer, words: &[&str]) -> Vec<Vec<u32>> {
    let first = |text: String| {
        let ids = tokenizer.encode(&text, false).ok()?;
        ids.into_iter().find(|id| !tokenizer.decode(&[*id], false).trim().is_empty())
    };
    let of = |word: &&str| {
        let mut ids: Vec<u32> = ["", " ", "\n"].iter().filter_map(|before| first(format!("{before}{word}"))).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let all: Vec<Vec<u32>> = words.iter().map(of).collect();
    let shared = |id: &u32| all.iter().filter(|ids| ids.contains(id)).count() > 1;
    all.iter().map(|ids| ids.iter().copied().filter(|id| !shared(id)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    fn fixture() -> String {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reward-model").to_owned()
    }

    #[test]
    fn a_model_is_opened_once_while_it_is_in_use() {
        let one = Files::open(&fixture(), Weights::Int8).unwrap();
        let two = Files::open(&format!("{}/../reward-model", fixture()), Weights::Int8).unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        let other = Files::open(&fixture(), Weights::Nf4).unwrap();
        assert!(!Arc::ptr_eq(&one, &other) && one.identity() != other.identity());
        // Threads that all wait for it do not wait for each other.
        let models: Vec<usize> =
            (0..16).into_par_iter().map(|_| std::ptr::from_ref(one.model().unwrap()) as usize).collect();
        assert!(models.iter().all(|model| *model == models[0]));
        let open = Arc::downgrade(&one);
        drop((one, two));
        assert_eq!(open.strong_count(), 0, "what nobody uses is let go of");
    }

    #[test]
    fn a_words_first_tokens_are_its_own() {
        let tokenizer = Tokenizer::load(Path::new(&fixture())).unwrap();
        let first = |text: &str| tokenizer.encode(text, false).unwrap()[0];
        let tokens = first_tokens(&tokenizer, &["safe", "unsafe"]);
        assert!(tokens[0].contains(&first("safe")) && tokens[1].contains(&first("unsafe")));
        assert!(tokens.iter().flatten().all(|id| !tokenizer.decode(&[*id], false).trim().is_empty()));
        assert!(tokens[0].iter().all(|id| !tokens[1].contains(id)));
        // What two words begin with tells nothing.
        assert!(first_tokens(&tokenizer, &["xa", "xb"]).iter().all(Vec::is_empty));
    }
}
