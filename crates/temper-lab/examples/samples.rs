//! Prints rows of every data set of the lab, and how long they are in tokens.
//!
//! `cargo run --release -p temper-lab --example samples -- [ROWS] [TOKENIZER_DIR]`

use std::collections::BTreeMap;

use temper_lab::World;
use temper_recipe::Lab;
use temper_text::Prompt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(Ok(3), |n| n.parse())?;
    let dir = args.next().unwrap_or_else(|| std::env::temp_dir().join("temper-lab-samples").display().to_string());
    let dir = std::path::Path::new(&dir);
    let world = World::new(&Lab::default());
    let files = world.train_tokenizer()?;
    files.write(dir)?;
    let tokenizer = tokenizers::Tokenizer::from_file(dir.join("tokenizer.json")).map_err(|e| e.to_string())?;
    let length = |text: &str| tokenizer.encode(text, false).map(|e| e.len()).unwrap_or(0);
    println!("tokenizer: {} tokens, {}", files.vocab_size, dir.display());

    for name in World::names() {
        let rows = world.rows(name)?;
        println!("\n== {name}: {} rows", rows.len());
        for row in rows.iter().take(count) {
            println!("-- {}\n{}", serde_json::to_string(&row.fields)?, row.prompt.display());
            if let Some(completion) = &row.completion {
                println!(">> {}", completion.text());
            }
        }
        let mut sums: BTreeMap<String, (usize, usize, usize, usize, usize)> = BTreeMap::new();
        for row in rows.iter().take(8_000) {
            let Prompt::Chat(_) = &row.prompt else { continue };
            let kind = row.fields.get("kind").and_then(|k| k.as_str()).unwrap_or("?");
            let language = row.fields.get("language").and_then(|k| k.as_str()).unwrap_or("?");
            let prompt = length(row.prompt.request());
            let completion = length(&row.said());
            let sum = sums.entry(format!("{kind} {language}")).or_default();
            *sum = (sum.0 + 1, sum.1 + prompt, sum.2 + completion, sum.3.max(prompt), sum.4.max(completion));
        }
        for (kind, (n, prompt, completion, longest_prompt, longest_completion)) in sums {
            let mean = |sum: usize| sum as f64 / n as f64;
            println!(
                "   {kind}: {n} rows, prompt {:.1} tokens (most {longest_prompt}), completion {:.1} (most {longest_completion})",
                mean(prompt),
                mean(completion)
            );
        }
    }
    Ok(())
}
