//! `temper merge`: a PEFT adapter and its base become one model.

use std::process::ExitCode;

use serde_json::json;
use temper_recipe::Lab;

use crate::args::MergeArgs;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Writes a Hugging Face directory that gives what the base gives with the adapter on it.
pub fn merge(args: &MergeArgs) -> Result<ExitCode, CliError> {
    commands::check_empty(&args.out)?;
    let mut loaded = commands::load(&args.model, &Lab::default(), interrupt::flag()?)?;
    let (adapter, _) = temper_run::local(&args.adapter)?;
    let source = loaded.model.load_adapter(&adapter)?;
    let tensors = loaded.model.trainable_tensors().len();
    loaded.model.merge_adapter();
    loaded.model.save(&args.out)?;
    loaded.tokenizer.save(&args.out)?;
    let digest = loaded.model.digest();
    if args.json {
        commands::print_json(&json!({
            "out": args.out, "digest": digest, "tensors": tensors, "base_model": source.base_model,
        }))?;
    } else {
        let base = source.base_model.as_deref().unwrap_or("a base that it does not name");
        commands::print(&format!("{tensors} tensors, trained on {base}, merged: {}\n", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
