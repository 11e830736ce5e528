//! YAML as a tree that remembers where each value stood.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// Where a value or key came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Place {
    /// Not known.
    #[default]
    Unknown,
    /// Line and column in the file, from 1.
    At(u64, u64),
    /// Line and column in an included file, from 1.
    In(String, u64, u64),
    /// An override, as given.
    Set(String),
}

/// A value with its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Content,
    /// The text that the value was read from, where it came from an override.
    pub raw: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Content {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(IndexMap<String, Entry>),
}

/// A value in a mapping, with the place of its key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Place,
    pub node: Node,
}

impl Node {
    /// Reads YAML; the error is the parser's message with line and column apart.
    pub fn parse(text: &str) -> Result<Node, (Place, String)> {
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
            let place = error.location().map_or(Place::Unknown, |at| Place::At(at.line(), at.column()));
            let message = error.to_string();
            // The place is said once, in front.
            let end = message.find(" at line ").or_else(|| message.find("\n")).unwrap_or(message.len());
            (place, message[..end].to_string())
        })
    }

    /// A value that came from nowhere in particular.
    pub fn from_json(value: &Value) -> Node {
        let value = match value {
            Value::Null => Content::Null,
            Value::Bool(flag) => Content::Bool(*flag),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(Node::from_json).collect()),
            Value::Object(map) => Content::Map(
                map.iter()
                    .map(|(key, value)| (key.clone(), Entry { key: Place::Unknown, node: Node::from_json(value) }))
                    .collect(),
            ),
        };
        Node { place: Place::Unknown, value, raw: None }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Content::Null => Value::Null,
            Content::Bool(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(map) => {
                Value::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect())
            }
        }
    }

    /// Marks the value and all in it as coming from an override.
    pub fn mark(&mut self, place: &Place) {
        self.place = place.clone();
        match &mut self.value {
            Content::List(items) => items.iter_mut().for_each(|item| item.mark(place)),
            Content::Map(map) => map.values_mut().for_each(|entry| {
                entry.key = place.clone();
                entry.node.mark(place);
            }),
            _ => {}
        }
    }

    /// Says of the value and all in it that its lines are those of `file`.
    pub fn of_file(&mut self, file: &str) {
        let told = |place: &mut Place| {
            if let Place::At(line, column) = *place {
                *place = Place::In(file.to_owned(), line, column);
            }
        };
        told(&mut self.place);
        match &mut self.value {
            Content::List(items) => items.iter_mut().for_each(|item| item.of_file(file)),
            Content::Map(map) => map.values_mut().for_each(|entry| {
                told(&mut entry.key);
                entry.node.of_file(file);
            }),
            _ => {}
        }
    }

    /// The place of a path such as `arms.a.stages[1].grpo.beta`, or of the deepest part of it that exists.
    pub fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        let mut place = &self.place;
        let mut rest = path;
        while !rest.is_empty() {
            let next = match &node.value {
                // Names may contain dots, so the longest key that fits is taken.
                Content::Map(map) => map
                    .iter()
                    .filter(|(key, _)| {
                        rest.strip_prefix(key.as_str())
                            .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                    })
                    .max_by_key(|(key, _)| key.len())
                    .map(|(key, entry)| (&entry.node, &entry.key, &rest[key.len()..])),
                Content::List(items) => rest.strip_prefix('[').and_then(|after| {
                    let (index, after) = after.split_once(']')?;
                    let item = items.get(index.parse::<usize>().ok()?)?;
                    Some((item, &item.place, after))
                }),
                _ => None,
            };
            let Some((inner, at, after)) = next else { break };
            node = inner;
            place = at;
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        place.clone()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Node { place: place(&spanned), value: spanned.value, raw: None })
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    match spanned.referenced.line() {
        0 => Place::Unknown,
        line => Place::At(line, spanned.referenced.column()),
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Content, E> {
        Ok(Content::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Content, E> {
        Number::from_f64(number).map(Content::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut map = IndexMap::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let at = place(&key);
            map.insert(key.value, Entry { key: at, node: access.next_value()? });
        }
        Ok(Content::Map(map))
    }
}
