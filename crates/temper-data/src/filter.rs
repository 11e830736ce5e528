//! Which rows of a file are kept.

use serde_json::{Map, Value};

/// Whether the row's field equals `wanted`, or one of them when `wanted` is a list. A text equals the number or boolean that
/// it spells, because CSV files have only texts. A row without the field is not kept.
pub(crate) fn keeps(fields: &Map<String, Value>, name: &str, wanted: &Value) -> bool {
    let Some(found) = fields.get(name) else {
        return false;
    };
    match wanted {
        Value::Array(any) => any.iter().any(|wanted| equal(found, wanted)),
        wanted => equal(found, wanted),
    }
}

fn equal(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => {
            let text = text.trim();
            matches!((text.parse::<f64>(), wanted.as_f64()), (Ok(a), Some(b)) if a == b)
                || matches!(wanted, Value::Bool(b) if text.eq_ignore_ascii_case(if *b { "true" } else { "false" }))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Number(_) | Value::Bool(_), Value::String(_)) => equal(wanted, found),
        _ => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_with_what_they_spell() {
        let fields = json!({"label": "safe", "n": "5", "level": 2, "ok": "True"});
        let keep = |name, wanted| keeps(fields.as_object().unwrap(), name, &wanted);
        assert!(keep("label", json!("safe")) && keep("label", json!(["unsafe", "safe"])));
        assert!(!keep("label", json!("Safe")) && !keep("label", json!([])) && !keep("gone", json!("safe")));
        assert!(keep("n", json!(5)) && keep("n", json!(5.0)) && !keep("n", json!(6)));
        assert!(keep("level", json!("2")) && keep("level", json!(2.0)));
        assert!(keep("ok", json!(true)) && !keep("ok", json!(false)));
    }
}
