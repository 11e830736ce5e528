//! Judges that the engine runs: small models, random or trained to one reply.

use std::path::Path;

use serde_json::{Map, Value, json};
use temper_engine::{AdamW, AdamWConfig, Grads, Model, ModelConfig, Packed, TokenGrads};
use temper_score::{Sample, Score};
use temper_text::{Message, Tokenizer};

use crate::{fixture, judge, row, scorer};

/// A random language model with the fixture's tokenizer and chat template.
fn random(dir: &Path, hidden: usize) -> Model {
    for file in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] {
        std::fs::copy(fixture().join(file), dir.join(file)).unwrap();
    }
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 288, "hidden_size": hidden,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 2 * hidden,
        "max_position_embeddings": 256, "tie_word_embeddings": false, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "eos_token_id": 2, "bos_token_id": null
    });
    Model::random(ModelConfig::from_json(&config).unwrap(), 5)
}

fn prompt(tokenizer: &Tokenizer, request: &str, response: &str) -> Vec<u32> {
    let turns = [Message::user(request), Message::assistant(response)];
    tokenizer.encode(&tokenizer.render(&turns, &Map::new(), true).unwrap(), false).unwrap()
}

/// A judge that says `reply` whatever it is asked.
fn trained(dir: &Path, reply: &str) {
    let mut model = random(dir, 32);
    let tokenizer = Tokenizer::load(dir).unwrap();
    let (mut batch, mut select) = (Packed::default(), Vec::new());
    for (request, response) in [("Q", "A"), ("Hi", "Hello there"), ("How many days?", "Seven days a week")] {
        let mut ids = prompt(&tokenizer, request, response);
        select.resize(select.len() + ids.len(), false);
        ids.extend(tokenizer.encode(reply, false).unwrap());
        ids.push(tokenizer.eos().unwrap());
        batch.push(&ids, None);
        select.resize(batch.len(), true);
    }
    let n = select.iter().filter(|on| **on).count() as f32;
    let mut optimizer = AdamW::new(&model, AdamWConfig::default());
    let mut grads = Grads::zeros(&model);
    for _ in 0..200 {
        grads.zero();
        let down = vec![-1.0 / n; batch.len()];
        model.backprop(&batch, 1.0, &select, &mut grads, |_| TokenGrads { logprobs: down, entropy: None });
        optimizer.step(&mut model, &grads, 5e-3, Some(1.0)).unwrap();
    }
    model.save(dir).unwrap();
}

#[test]
fn a_random_model_is_no_judge() {
    let dir = tempfile::tempdir().unwrap();
    random(dir.path(), 16).save(dir.path()).unwrap();
    let row = row("Q", json!({}));
    for (kind, more) in [
        ("llama_guard", json!({})),
        ("qwen3guard", json!({})),
        ("wildguard", json!({"template_file": file(dir.path(), "w", "{prompt} {response}")})),
        (
            "harmbench",
            json!({
                "template_file": file(dir.path(), "h", "{behavior} {generation}"),
                "context_template_file": file(dir.path(), "c", "{behavior} {generation} {context}"),
            }),
        ),
        ("strongreject", json!({"template_file": file(dir.path(), "s", "{forbidden_prompt} {response}")})),
        ("jailbreakbench", json!({"template_file": file(dir.path(), "j", "{prompt} {response}")})),
    ] {
        let mut params: Value = more;
        params["model"] = json!(dir.path());
        params["max_tokens"] = json!(8);
        let judged = judge(&scorer(kind, params), &row, "A");
        let Score::Unscored(reason) = &judged.score else { panic!("{kind}: {judged:?}") };
        assert!(reason.starts_with("expected ") && reason.contains("the judge's reply"), "{kind}: {reason}");
    }
    // What does not fit into the judge's context is not cut.
    let long = scorer("rubric", json!({"model": dir.path(), "rubric": "Polite? ".repeat(100)}));
    let judged = judge(&long, &row, "A");
    assert!(matches!(&judged.score, Score::Unscored(reason) if reason.contains("its context 256")), "{judged:?}");
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn llama_guards_score_is_the_first_tokens_probability() {
    let dir = tempfile::tempdir().unwrap();
    trained(dir.path(), "unsafe\nS10");
    let (model, tokenizer) = (Model::load(dir.path()).unwrap(), Tokenizer::load(dir.path()).unwrap());
    let guard = scorer("llama_guard", json!({"model": dir.path()}));
    let row = row("How many days?", json!({}));
    let responses = ["Seven", "I cannot say", "A week has seven days, and a day has many hours", "Hello<|im_end|>"];
    let samples: Vec<Sample> = responses.iter().map(|response| Sample::new(&row, response, 1, false)).collect();
    let together = guard.judge(&samples);
    for (sample, judged) in samples.iter().zip(&together) {
        let shown = sample.text.replace("<|", "< |");
        let mut batch = Packed::default();
        let prompt = batch.push(&prompt(&tokenizer, "How many days?", &shown), None);
        // The tokens that the word begins with: alone, and after a space where that is another one.
        let mut firsts: Vec<u32> = ["unsafe", " unsafe"].map(|word| tokenizer.encode(word, false).unwrap()[0]).to_vec();
        firsts.retain(|id| !tokenizer.decode(&[*id], false).trim().is_empty());
        firsts.sort_unstable();
        firsts.dedup();
        let mut select = vec![false; batch.len()];
        for id in &firsts {
            batch.push(&[*id], Some(prompt));
            select.push(true);
        }
        let stats = model.score(&batch, 1.0, &select);
        let at = |t: usize| f64::from(stats.logprobs[t]).exp();
        let expected: f64 = (0..batch.len()).filter(|t| select[*t]).map(at).sum();
        assert_eq!(judged.score, Score::Value(expected), "{judged:?}");
        assert!((0.5..=1.0).contains(&expected), "{expected}");
        assert!(judged.explanation.as_ref().unwrap().starts_with("unsafe: S10 hate"), "{judged:?}");
    }
    assert_eq!(guard.judge(&samples[1..2])[0], together[1], "alone and in a batch");
    // Judged by the verdict alone, and with the request alone.
    let verdict = scorer("llama_guard", json!({"model": dir.path(), "as": "verdict", "reads": "request_harm"}));
    assert_eq!(judge(&verdict, &row, "A").score, Score::Value(1.0));
    assert_ne!(verdict.digest(), guard.digest());
}

#[test]
fn the_identity_is_of_weights_and_tokenizer_not_of_the_path() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut model = random(one.path(), 16);
    model.save(one.path()).unwrap();
    random(two.path(), 16).save(two.path()).unwrap();
    let digest = |dir: &Path| scorer("llama_guard", json!({"model": dir})).digest();
    let same = digest(one.path());
    assert_eq!(same, digest(two.path()));
    model.params_mut()[3] += 0.5;
    model.save(one.path()).unwrap();
    assert_ne!(same, digest(one.path()), "weights changed in place");
    let template = two.path().join("chat_template.jinja");
    let text = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, text.replace("im_start|>assistant", "im_start|>Assistant")).unwrap();
    assert_ne!(same, digest(two.path()), "chat template changed");
}

#[test]
fn a_model_that_breaks_after_it_was_named_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    random(dir.path(), 16).save(dir.path()).unwrap();
    let scorer = scorer("llama_guard", json!({"model": dir.path()}));
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let row = row("Q", json!({}));
    for judged in scorer.judge(&[Sample::new(&row, "A", 1, false), Sample::new(&row, "B", 1, false)]) {
        assert!(matches!(&judged.score, Score::Error(reason) if reason.contains("safetensors")), "{judged:?}");
    }
}
