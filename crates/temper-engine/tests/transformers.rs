//! What the engine saves, transformers reads: every family is saved, loaded in Python and scored there.
//!
//! Set `TEMPER_PYTHON` to a Python with torch and transformers to run this; without it the test says that it was skipped.

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use common::{MODELS, batch, load};
use temper_engine::{AdamW, AdamWConfig, Grads, TokenGrads};

#[test]
fn transformers_scores_saved_models_the_same() {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON names no Python with torch and transformers");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/fixtures/check_saved.py");
    let dir = tempfile::tempdir().unwrap();
    let mut run = Command::new(&python);
    run.arg(&script);
    for name in MODELS {
        let (mut model, reference) = load(name);
        let (batch, select) = batch(&reference);
        // One step, so that the weights are ones that only the engine has seen.
        let mut grads = Grads::zeros(&model);
        let loss = |_: &_| TokenGrads { logprobs: vec![-0.01; batch.len()], entropy: None };
        model.backprop(&batch, 1.0, &select, &mut grads, loss);
        AdamW::new(&model, AdamWConfig::default()).step(&mut model, &grads, 1e-3, Some(1.0)).unwrap();
        let out = dir.path().join(name);
        model.save(&out).unwrap();
        let stats = model.score(&batch, 1.0, &select);
        let mut lines = String::new();
        for segment in 0..batch.segments() {
            let range = batch.range(segment);
            let logprobs = &stats.logprobs[range.clone()];
            let shown: Vec<String> = logprobs[1..].iter().map(f32::to_string).collect();
            writeln!(lines, r#"{{"ids": {:?}, "logprobs": [null, {}]}}"#, &batch.ids[range], shown.join(", ")).unwrap();
        }
        let file = out.join("logprobs.jsonl");
        std::fs::write(&file, lines).unwrap();
        run.arg(&out).arg(&file);
    }
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
