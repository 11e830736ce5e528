//! Messages as texts, and back.

use serde_json::{Value, json};
use temper_text::thinking;

/// A message's content as text, and its reasoning apart from it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    pub text: String,
    pub reasoning: Option<String>,
}

/// The text and reasoning of a message: its content is a text or a list of parts. A part that is neither text nor reasoning
/// stands as its kind in brackets, a tool call as its function and arguments.
pub(super) fn content(message: &Value) -> Content {
    let mut texts: Vec<String> = Vec::new();
    let mut reasoning: Vec<&str> = Vec::new();
    match message.get("content") {
        Some(Value::String(text)) => texts.push(text.clone()),
        Some(Value::Array(parts)) => {
            for part in parts {
                let field = |key: &str| part.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
                match part.get("type").and_then(Value::as_str) {
                    Some("text") => texts.extend(part.get("text").and_then(Value::as_str).map(str::to_owned)),
                    // A redacted reasoning is ciphertext; its summary is what can be read.
                    Some("reasoning") if part.get("redacted") == Some(&Value::Bool(true)) => {
                        reasoning.push(field("summary").unwrap_or("[redacted]"));
                    }
                    Some("reasoning") => reasoning.extend(field("reasoning").or(field("summary"))),
                    other => texts.push(format!("[{}]", other.unwrap_or("content of an unknown kind"))),
                }
            }
        }
        _ => {}
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let function = call.get("function").and_then(Value::as_str).unwrap_or("?");
        let arguments = call.get("arguments").map(Value::to_string).unwrap_or_default();
        texts.push(format!("[tool call {function}({arguments})]"));
    }
    // Older logs keep the reasoning beside the content.
    reasoning.extend(message.get("reasoning").and_then(Value::as_str));
    Content { text: texts.join("\n"), reasoning: (!reasoning.is_empty()).then(|| reasoning.join("\n\n")) }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("user")
}

/// Whether the model said it.
pub(super) fn is_assistant(message: &Value) -> bool {
    role(message) == "assistant"
}

/// A conversation as one text: one message as it is, several with their roles, as
/// [`Prompt::display`](temper_text::Prompt::display) writes them.
pub(super) fn conversation(messages: &[Value]) -> String {
    let whole = |message: &Value| {
        let Content { text, reasoning } = content(message);
        reasoning.map_or(text.clone(), |reasoning| thinking::join(&reasoning, &text))
    };
    match messages {
        [only] => whole(only),
        many => {
            let turns: Vec<String> = many.iter().map(|turn| format!("{}: {}", role(turn), whole(turn))).collect();
            turns.join("\n\n")
        }
    }
}

/// A completion taken apart: its whole text, thinking and answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub text: String,
    pub thinking: Option<String>,
    pub answer: String,
}

/// The completion that an assistant's message is. Reasoning that stands apart is the thinking; else the text is split at its
/// `</think>`.
pub(super) fn parts(message: &Value) -> Parts {
    let Content { text, reasoning } = content(message);
    match reasoning {
        Some(reasoning) => Parts { text: thinking::join(&reasoning, &text), thinking: Some(reasoning), answer: text },
        None => {
            let split = thinking::split(&text);
            Parts { thinking: split.thinking.map(str::to_owned), answer: split.answer.to_owned(), text }
        }
    }
}

/// The assistant's message for a thinking and an answer.
pub(super) fn message(thinking: Option<&str>, answer: &str, model: &str) -> Value {
    let content = match thinking {
        None => json!(answer),
        Some(thinking) => json!([
            {"type": "reasoning", "reasoning": thinking},
            {"type": "text", "text": answer},
        ]),
    };
    json!({"role": "assistant", "content": content, "source": "generate", "model": model})
}
