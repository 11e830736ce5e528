//! Finding what was meant.

/// Names of other tools, and what the same thing is called here.
const SYNONYMS: &[(&str, &str)] = &[
    ("batch_tokens", "batch_size"),
    ("checkpoint_every", "save_steps"),
    ("clip_eps", "epsilon"),
    ("clip_high", "epsilon_high"),
    ("dataset", "data"),
    ("dataset_name", "data"),
    ("epochs", "num_train_epochs"),
    ("generation_batch_size", "prompts_per_step"),
    ("grad_clip", "max_grad_norm"),
    ("group_size", "completions_per_prompt"),
    ("kl_coef", "beta"),
    ("learning_rate_schedule", "lr_scheduler_type"),
    ("lr", "learning_rate"),
    ("max_completion_length", "max_tokens"),
    ("max_new_tokens", "max_completion_length"),
    ("max_new_tokens", "max_tokens"),
    ("max_seq_length", "max_length"),
    ("max_tokens", "max_completion_length"),
    ("min", "at_least"),
    ("max", "at_most"),
    ("model_name_or_path", "model"),
    ("num_generations", "completions_per_prompt"),
    ("num_attention_heads", "num_heads"),
    ("num_hidden_layers", "num_layers"),
    ("num_key_value_heads", "num_kv_heads"),
    ("output_dir", "out"),
    ("per_device_train_batch_size", "batch_size"),
    ("per_device_train_batch_size", "prompts_per_step"),
    ("reward_funcs", "rewards"),
    ("reward_weights", "rewards"),
    ("scheduler", "lr_scheduler_type"),
    ("train_dataset", "data"),
    ("warmup_steps", "warmup_ratio"),
];

/// The known name that `word` most likely stands for, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let same = |name: &&&str| SYNONYMS.contains(&(word, **name));
    if let Some(name) = known.iter().find(same) {
        return Some(name);
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            let low = name.to_lowercase();
            let mut near = strsim::normalized_damerau_levenshtein(&lower, &low);
            if low.len() >= 4 && lower.len() >= 4 && (low.starts_with(&lower) || lower.starts_with(&low)) {
                near = near.max(0.75);
            }
            (name, near)
        })
        .filter(|(_, near)| *near >= 0.6)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}

/// `; did you mean X?` or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// `a, b, c`, or `none` for an empty list.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

/// The sentence about a name that is not known: what was probably meant and what there is.
pub(crate) fn unknown<'a>(what: &str, word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let hint = did_you_mean(word, known.clone());
    let stop = if hint.is_empty() { "." } else { "" };
    format!("unknown {what} `{word}`{hint}{stop} Known: {}", list(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let keys = ["learning_rate", "beta", "completions_per_prompt", "at_least"];
        assert_eq!(nearest("leraning_rate", keys), Some("learning_rate"));
        assert_eq!(nearest("lr", keys), Some("learning_rate"));
        assert_eq!(nearest("num_generations", keys), Some("completions_per_prompt"));
        assert_eq!(nearest("completions", keys), Some("completions_per_prompt"));
        assert_eq!(nearest("min", keys), Some("at_least"));
        assert_eq!(nearest("zzz", keys), None);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        assert_eq!(
            unknown("suite", "famliar", ["familiar", "harmful"]),
            "unknown suite `famliar`; did you mean `familiar`? Known: familiar, harmful"
        );
        assert_eq!(unknown("suite", "q", []), "unknown suite `q`. Known: none");
    }
}
