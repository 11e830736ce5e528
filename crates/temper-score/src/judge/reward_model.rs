//! Reward and cost models: sequence classifiers of Hugging Face, run by the engine.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use temper_engine::{Model, Packed};
use temper_text::{Dialogue, Message, Prompt};

use super::engine::{BATCH, Files, Weights};
use super::seen::Seen;
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const REWARD_MODEL: Family = Family {
    info: ScorerInfo {
        r#type: "reward_model",
        title: "Reward model",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Estimate,
        needs: &[],
        summary: "What a sequence classifier (a reward or cost model) gives prompt and completion",
    },
    version: 1,
    make,
};

/// What is made of the classifier's outputs.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum As {
    /// The output as it is.
    #[default]
    Logit,
    /// Its sigmoid where the model has one label or labels that do not exclude each other, else its softmax over all labels.
    Probability,
}

/// A label by its place or by its name in `id2label`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Label {
    Place(usize),
    Name(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    model: Option<String>,
    weights: Weights,
    label: Option<Label>,
    r#as: As,
    part: Part,
    request: Option<String>,
    chat_template_kwargs: Map<String, Value>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            model: None,
            weights: Weights::default(),
            label: None,
            r#as: As::default(),
            part: Part::Answer,
            request: None,
            chat_template_kwargs: Map::new(),
        }
    }
}

/// A classifier, and how its outputs become scores.
struct Classifier {
    files: Arc<Files>,
    names: Vec<String>,
    label: usize,
    r#as: As,
    /// Whether labels do not exclude each other.
    independent: bool,
    seen: Seen,
    variables: Map<String, Value>,
}

fn make(given: &Parameters) -> Result<Made, ScoreError> {
    let options: Options = given.read()?;
    let Some(path) = &options.model else {
        let remedy = "give `model: DIR` or `model: hf://ORG/MODEL` of a sequence classifier";
        return Err(given.error("a reward model needs a model".into(), remedy.into()));
    };
    let files = Files::open(path, options.weights)
        .map_err(|error| given.error(format!("`model`: {error}"), "correct `model`".into()))?;
    let Some(labels) = files.config.num_labels else {
        let what = format!("{} is a language model, not a sequence classifier", files.dir.display());
        return Err(given.error(what, "name a reward model, or ask it as a judge (`rubric`)".into()));
    };
    let (names, independent) = described(&files.dir, labels);
    let listed = || names.iter().enumerate().map(|(at, name)| format!("{at} ({name})")).collect::<Vec<_>>().join(", ");
    let label = match &options.label {
        None if labels == 1 => 0,
        None => {
            return Err(given.error(format!("the model has {labels} labels"), format!("choose `label`: {}", listed())));
        }
        Some(Label::Place(at)) if *at < labels => *at,
        Some(Label::Name(name)) if names.contains(name) => names.iter().position(|n| n == name).unwrap_or_default(),
        Some(_) => return Err(given.error("the model has no such `label`".into(), format!("it has {}", listed()))),
    };
    let seen = Seen::keeping_tags(options.part, options.request, files.special_texts());
    let identity = json!({
        "judge": files.identity(),
        "label": label,
        "as": options.r#as,
        "part": seen.part,
        "request": seen.request,
        "chat_template_kwargs": options.chat_template_kwargs,
    });
    let asks = Some(files.name());
    let range = (options.r#as == As::Probability).then_some((0.0, 1.0));
    let part = seen.part;
    let classifier = Classifier {
        files,
        names,
        label,
        r#as: options.r#as,
        independent,
        seen,
        variables: options.chat_template_kwargs,
    };
    Ok(Made::batched(&REWARD_MODEL, identity, move |samples| classifier.judge(samples))
        .costly()
        .asking(asks)
        .reading(part)
        .within(range))
}

/// Names of the labels, and whether they do not exclude each other, as `config.json` says; numbers where it does not.
fn described(dir: &std::path::Path, labels: usize) -> (Vec<String>, bool) {
    let config: Option<Value> =
        std::fs::read(dir.join("config.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let field = |name: &str| config.as_ref().and_then(|config| config.get(name));
    let name = |at: usize| {
        let name = field("id2label").and_then(|names| names.get(at.to_string())?.as_str());
        name.map_or(format!("LABEL_{at}"), str::to_owned)
    };
    let independent = field("problem_type").and_then(Value::as_str) == Some("multi_label_classification");
    ((0..labels).map(name).collect(), independent || labels == 1)
}

impl Classifier {
    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        let model = match self.files.model() {
            Ok(model) => model,
            Err(error) => return samples.iter().map(|_| Score::Error(error.clone()).into()).collect(),
        };
        let texts: Vec<Result<Vec<u32>, Judged>> = samples.iter().map(|sample| self.ids(sample)).collect();
        let sequences: Vec<&[u32]> = texts.iter().filter_map(|ids| ids.as_ref().ok().map(Vec::as_slice)).collect();
        let mut outputs = outputs(model, &sequences, self.names.len()).into_iter();
        let judged = |ids: Result<Vec<u32>, Judged>| match ids {
            Err(judged) => judged,
            Ok(_) => outputs.next().map_or_else(
                || Score::Error("the model gave no output".to_owned()).into(),
                |logits| self.scored(&logits),
            ),
        };
        texts.into_iter().map(judged).collect()
    }

    /// Prompt and completion as the model's chat template prints them; one after the other where the model has none and the
    /// prompt is plain text.
    fn ids(&self, sample: &Sample) -> Result<Vec<u32>, Judged> {
        let case = self.seen.case(sample, true)?;
        let tokenizer = &self.files.tokenizer;
        let failed = |error: temper_text::TextError| Judged::from(Score::Error(error.to_string()));
        let plain = matches!(sample.row.prompt, Prompt::Text(_)) || self.seen.request.is_some();
        let ids = if plain && !tokenizer.has_chat_template() {
            tokenizer.encode(&format!("{}{}", case.request, case.response), true).map_err(failed)?
        } else {
            let mut dialogue = match &sample.row.prompt {
                Prompt::Chat(dialogue) if !plain => dialogue.clone(),
                _ => Dialogue::from(vec![Message::user(case.request.clone())]),
            };
            // How the policy's prompt is opened is not how the classifier's text is printed.
            dialogue.variables.retain(|name, _| name == "tools" || name == "documents");
            dialogue.variables.extend(self.variables.clone());
            dialogue.messages.push(Message::assistant(case.response.clone()));
            let text = tokenizer.render(&dialogue.messages, &dialogue.variables, false).map_err(failed)?;
            let thinking = self.seen.neutral(sample.thinking.unwrap_or_default()).0;
            if self.seen.part == Part::Whole && !text.contains(thinking.trim()) {
                return Err(Score::Error(format!(
                    "{}: the model's chat template drops the thinking; use `part: answer`, or another reward model",
                    self.files.dir.display()
                ))
                .into());
            }
            tokenizer.encode_dialogue(&dialogue).map_err(failed)?
        };
        let room = self.files.config.max_position_embeddings;
        match ids.len() {
            0 => Err(Score::Unscored("prompt and completion have no tokens".to_owned()).into()),
            n if n > room => Err(Score::Unscored(format!(
                "prompt and completion have {n} tokens and the model's context {room}; use one with a longer context"
            ))
            .into()),
            _ => Ok(ids),
        }
    }

    fn scored(&self, logits: &[f64]) -> Judged {
        let Some(&logit) = logits.get(self.label) else {
            return Score::Error("the model gave no output".to_owned()).into();
        };
        let score = match (self.r#as, self.independent) {
            (As::Logit, _) => logit,
            (As::Probability, true) => 1.0 / (1.0 + (-logit).exp()),
            (As::Probability, false) => 1.0 / logits.iter().map(|other| (other - logit).exp()).sum::<f64>(),
        };
        let judged = Judged::from(Score::of(score));
        if logits.len() == 1 {
            return judged;
        }
        let all: Vec<String> =
            self.names.iter().zip(logits).map(|(name, logit)| format!("{name} {logit:.4}")).collect();
        judged.because(format!("logits: {}", all.join(", ")))
    }
}

/// The outputs `[labels]` at the last token of each sequence, a few thousand tokens at a time.
fn outputs(model: &Model, sequences: &[&[u32]], labels: usize) -> Vec<Vec<f64>> {
    let mut outputs = Vec::with_capacity(sequences.len());
    let mut rest = sequences;
    while !rest.is_empty() {
        let mut tokens = 0;
        let fits = |ids: &&&[u32]| {
            tokens += ids.len();
            tokens <= BATCH
        };
        let (batch, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        let rewards = model.rewards(&Packed::new(batch));
        outputs.extend(rewards.chunks_exact(labels).map(|row| row.iter().map(|x| f64::from(*x)).collect()));
        rest = after;
    }
    outputs
}
