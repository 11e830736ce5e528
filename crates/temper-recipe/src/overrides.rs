//! Overrides: `--set arms.hybrid.stages.0.sft.learning_rate=1e-4`.

use indexmap::IndexMap;
use serde_json::Value;

use crate::RecipeError;
use crate::schema::{Shape, deref, schema, shape};
use crate::suggest::{list, unknown};
use crate::tree::{Content, Entry, Node, Place};

/// Kinds of stages, for finding one by its kind.
const KINDS: [&str; 3] = ["sft", "grpo", "reject"];

/// The key and the value of an override.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once('=')
}

/// Whether the override sets the recipe's key `name` or something in it.
pub(crate) fn is_about(text: &str, name: &str) -> bool {
    let key = split(text).map(|(key, _)| key).unwrap_or_default();
    key.split(['.', '[']).next().is_some_and(|first| first.trim() == name)
}

/// Applies one override to the tree. The value is YAML. A key of the path is a key of the recipe, an index into a list
/// (`stages.0`, `stages[0]`), or, in a list of stages, a stage's name or kind where only one stage has it.
pub(crate) fn apply(tree: &mut Node, text: &str) -> Result<(), RecipeError> {
    let fail = |message: String| RecipeError::Override { text: text.to_string(), message };
    let (key, value) = split(text)
        .ok_or_else(|| fail("expected KEY=VALUE, as in `seed=1` or `arms.a.stages.0.sft.learning_rate=1e-4`".into()))?;
    let mut node = Node::parse(if value.trim().is_empty() { "null" } else { value })
        .map_err(|(_, message)| fail(format!("the value is not valid YAML: {message}")))?;
    let place = Place::Set(text.to_string());
    node.mark(&place);
    node.raw = Some(value.to_string());
    let segments: Vec<String> =
        key.trim().replace('[', ".").replace(']', "").split('.').map(|segment| segment.trim().to_string()).collect();
    if segments.iter().any(String::is_empty) {
        return Err(fail(format!("`{key}` has an empty part; write KEY.KEY=VALUE")));
    }
    set(tree, Some(schema()), &segments, &mut String::new(), node, &place).map_err(fail)
}

fn set(
    at: &mut Node,
    schema: Option<&Value>,
    segments: &[String],
    path: &mut String,
    value: Node,
    place: &Place,
) -> Result<(), String> {
    let Some(first) = segments.first() else {
        *at = value;
        return Ok(());
    };
    if matches!(at.value, Content::Null) {
        at.value = Content::Map(IndexMap::new());
        at.place = place.clone();
    }
    if let Some(map) = long_form(at, schema) {
        at.value = map;
    }
    let whole = if path.is_empty() { "the recipe".to_string() } else { format!("`{path}`") };
    match &mut at.value {
        Content::Map(map) => {
            // A name may contain dots: `arms.qwen2.5.stages`.
            let joined = (1..=segments.len()).find(|n| map.contains_key(&segments[..*n].join(".")));
            // A stage's settings may be named without its kind: `stages.0.beta`.
            if let (None, [kind]) = (joined, map.keys().map(String::as_str).collect::<Vec<_>>().as_slice())
                && KINDS.contains(kind)
                && !KINDS.contains(&first.as_str())
            {
                let kind = kind.to_string();
                let inner = schema.and_then(|schema| child(schema, &kind));
                push(path, &kind);
                return set(&mut map[&kind].node, inner, segments, path, value, place);
            }
            let n = joined.unwrap_or(1);
            let key = segments[..n].join(".");
            if joined.is_none() && segments.len() > 1 && schema.is_some_and(names_are_free) {
                let known: Vec<&str> = map.keys().map(String::as_str).collect();
                return Err(format!("in {whole}: {}", unknown("name", first, known)));
            }
            let inner = schema.and_then(|schema| child(schema, &key));
            push(path, &key);
            let entry = map.entry(key).or_insert_with(|| Entry { key: place.clone(), node: Node::default() });
            if segments.len() == n {
                entry.key = place.clone();
            }
            set(&mut entry.node, inner, &segments[n..], path, value, place)
        }
        Content::List(items) => {
            let inner = schema.and_then(items_of);
            let Ok(index) = first.parse::<usize>() else {
                let (index, kind) = find_stage(items, first, &whole)?;
                path.push_str(&format!("[{index}]"));
                let rest: Vec<String> = [kind].into_iter().chain(segments[1..].iter().cloned()).collect();
                return set(&mut items[index], inner, &rest, path, value, place);
            };
            path.push_str(&format!("[{index}]"));
            let count = items.len();
            if index == count && segments.len() == 1 {
                items.push(value);
                return Ok(());
            }
            let item = items
                .get_mut(index)
                .ok_or_else(|| format!("{whole} has {count} entries, numbered from 0; {index} is not one of them"))?;
            set(item, inner, &segments[1..], path, value, place)
        }
        _ => Err(format!("{whole} holds a single value, so `{first}` cannot be set in it; set {whole} as a whole")),
    }
}

/// The number and kind of the only stage with this name or kind.
fn find_stage(items: &[Node], wanted: &str, whole: &str) -> Result<(usize, String), String> {
    let mut labels: Vec<String> = Vec::new();
    let mut named = Vec::new();
    let mut kinds = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Content::Map(map) = &item.value else { continue };
        let Some((kind, entry)) = map.first() else { continue };
        if kind == wanted {
            kinds.push((i, kind));
        }
        labels.push(kind.clone());
        if let Content::Map(settings) = &entry.node.value
            && let Some(Entry { node: Node { value: Content::Text(name), .. }, .. }) = settings.get("name")
        {
            labels.pop();
            labels.push(name.clone());
            if name == wanted {
                named.push((i, kind));
            }
        }
    }
    let found = if named.is_empty() { kinds } else { named };
    match found.as_slice() {
        [(index, kind)] => Ok((*index, kind.to_string())),
        [] if labels.is_empty() => Err(format!("{whole} is a list; `{wanted}` is not an index, numbered from 0")),
        [] => Err(format!("in {whole}: {}", unknown("stage", wanted, labels.iter().map(String::as_str)))),
        many => {
            let numbers: Vec<String> = many.iter().map(|(index, _)| index.to_string()).collect();
            Err(format!(
                "{whole} has several stages `{wanted}` (numbers {}); name one by its number",
                list(numbers.iter().map(String::as_str))
            ))
        }
    }
}

/// A plain scorer name as the mapping that it is short for, so that a weight can be set beside it.
fn long_form(at: &Node, schema: Option<&Value>) -> Option<Content> {
    let (Content::Text(_), Some(_)) = (&at.value, schema.and_then(|schema| child(schema, "scorer"))) else {
        return None;
    };
    let entry = Entry { key: at.place.clone(), node: at.clone() };
    Some(Content::Map(IndexMap::from([("scorer".to_string(), entry)])))
}

/// Whether the keys of the mapping are names that the recipe's author chose.
fn names_are_free(schema: &Value) -> bool {
    let schema = deref(self::schema(), schema);
    schema.get("properties").is_none() && schema.get("additionalProperties").is_some_and(Value::is_object)
}

fn child<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let root = self::schema();
    let found = match shape(root, schema) {
        Shape::Either(options) => options.into_iter().find_map(|option| child(option, key)),
        Shape::Tagged(kinds) => kinds.into_iter().find(|(name, _)| *name == key).map(|(_, schema)| schema),
        Shape::Object => {
            let schema = deref(root, schema);
            let property = schema.get("properties").and_then(|all| all.get(key));
            property.or_else(|| schema.get("additionalProperties").filter(|values| values.is_object()))
        }
        _ => None,
    };
    found.map(|schema| deref(root, schema))
}

fn items_of(schema: &Value) -> Option<&Value> {
    deref(self::schema(), schema).get("items")
}

fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}
