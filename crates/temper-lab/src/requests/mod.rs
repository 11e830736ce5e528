//! Requests: topics, phrasings, wrappers.

mod benign;
mod phrasing;
mod taxonomy;

use serde_json::{Map, Value};

use crate::lexicon::{Both, Lang};
use crate::problems::Split;
use crate::rng::{Rng, hash_str, mix};

pub(crate) use benign::{Benign, LOOKALIKES, ORDINARY, USED};
pub(crate) use phrasing::{PHRASINGS, PHRASINGS_HELD_OUT, WRAPPERS, WRAPPERS_HELD_OUT};
pub(crate) use taxonomy::{Major, SUBCATEGORIES, Subcategory};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Topic {
    /// Indices of the subcategory and of its topic.
    Harmful(usize, usize),
    /// Index of a look-alike.
    Lookalike(usize),
    /// Index of an ordinary topic.
    Ordinary(usize),
}

impl Topic {
    /// The value of a row's `kind` field.
    pub fn kind(self) -> &'static str {
        match self {
            Topic::Harmful(..) => "harmful",
            Topic::Lookalike(_) => "lookalike",
            Topic::Ordinary(_) => "ordinary",
        }
    }

    /// The topic's name.
    pub fn name(self) -> &'static Both {
        match self {
            Topic::Harmful(sub, at) => &SUBCATEGORIES[sub].topics[at],
            Topic::Lookalike(at) => &LOOKALIKES[at].topic,
            Topic::Ordinary(at) => &ORDINARY[at].topic,
        }
    }

    /// The subcategory of a harmful topic.
    pub fn subcategory(self) -> Option<&'static Subcategory> {
        match self {
            Topic::Harmful(sub, _) => Some(&SUBCATEGORIES[sub]),
            _ => None,
        }
    }

    /// The benign topic.
    pub fn benign(self) -> Option<&'static Benign> {
        match self {
            Topic::Harmful(..) => None,
            Topic::Lookalike(at) => Some(&LOOKALIKES[at]),
            Topic::Ordinary(at) => Some(&ORDINARY[at]),
        }
    }

    /// Whether post-training data may use it.
    pub fn used(self) -> bool {
        match self {
            Topic::Harmful(sub, _) => !SUBCATEGORIES[sub].held_out,
            Topic::Lookalike(at) | Topic::Ordinary(at) => at < USED,
        }
    }

    /// Every harmful topic.
    pub fn harmful() -> impl Iterator<Item = Topic> {
        (0..SUBCATEGORIES.len())
            .flat_map(|sub| (0..SUBCATEGORIES[sub].topics.len()).map(move |at| Topic::Harmful(sub, at)))
    }

    /// Every look-alike.
    pub fn lookalikes() -> impl Iterator<Item = Topic> {
        (0..LOOKALIKES.len()).map(Topic::Lookalike)
    }

    /// Every ordinary topic.
    pub fn ordinary() -> impl Iterator<Item = Topic> {
        (0..ORDINARY.len()).map(Topic::Ordinary)
    }

    /// Every topic.
    pub fn all() -> impl Iterator<Item = Topic> {
        Self::harmful().chain(Self::lookalikes()).chain(Self::ordinary())
    }

    /// The topic of a row, by its `kind` and `topic` fields.
    pub fn of_fields(fields: &Map<String, Value>) -> Option<Topic> {
        let kind = fields.get("kind")?.as_str()?;
        let name = fields.get("topic")?.as_str()?;
        Self::all().find(|topic| topic.kind() == kind && topic.name().en == name)
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub topic: Topic,
    pub lang: Lang,
    /// Index into [`PHRASINGS`].
    pub phrasing: usize,
    /// Index into [`WRAPPERS`].
    pub wrapper: Option<usize>,
}

impl Request {
    /// A request about the topic in the split, any phrasing, wrapped with the given probability.
    pub fn draw(topic: Topic, lang: Lang, split: Split, wrapped: f64, rng: &mut Rng) -> Self {
        loop {
            let phrasing = rng.below(PHRASINGS.len());
            let wrapper = rng.chance(wrapped).then(|| rng.below(WRAPPERS.len()));
            let request = Self { topic, lang, phrasing, wrapper };
            if request.split() == split {
                return request;
            }
        }
    }

    /// The text of the request.
    pub fn text(&self) -> String {
        let topic = self.topic.name().text(self.lang);
        let question = PHRASINGS[self.phrasing].text(self.lang).replacen("{}", topic, 1);
        match self.wrapper {
            Some(at) => WRAPPERS[at].text(self.lang).replacen("{}", &question, 1),
            None => question,
        }
    }

    /// Where the request belongs: three tenths of the combinations of topic, phrasing, wrapper and language are for
    /// evaluation and occur nowhere else, the corpus included. The same for every seed.
    pub fn split(&self) -> Split {
        let mut hash = hash_str(self.topic.kind()) ^ hash_str(self.topic.name().en);
        for part in [self.phrasing as u64, self.wrapper.map_or(u64::MAX, |w| w as u64), self.lang as u64] {
            hash = mix(hash ^ part);
        }
        if hash % 10 < 3 { Split::Eval } else { Split::Train }
    }

    /// Whether topic, phrasing and wrapper may all occur in post-training data.
    pub fn used(&self) -> bool {
        self.topic.used() && self.used_phrasing() && self.wrapper.is_none_or(|w| w < WRAPPERS.len() - WRAPPERS_HELD_OUT)
    }

    /// Whether the phrasing may occur in post-training data.
    pub fn used_phrasing(&self) -> bool {
        self.phrasing < PHRASINGS.len() - PHRASINGS_HELD_OUT
    }

    /// The row's fields.
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("kind", self.topic.kind().into());
        put("language", self.lang.code().into());
        put("topic", self.topic.name().en.into());
        if let Some(sub) = self.topic.subcategory() {
            put("category", sub.major.name().into());
            put("subcategory", sub.name.into());
        }
        put("phrasing", PHRASINGS[self.phrasing].en.into());
        put("wrapper", self.wrapper.map_or(Value::Null, |w| WRAPPERS[w].en.into()));
        put("split", self.split().name().into());
        fields
    }

    /// The request of a row, by its fields.
    pub fn of_fields(fields: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let at = |table: &[Both], en: &str| table.iter().position(|both| both.en == en);
        Some(Self {
            topic: Topic::of_fields(fields)?,
            lang: Lang::of_code(text("language")?),
            phrasing: at(&PHRASINGS, text("phrasing")?)?,
            wrapper: match text("wrapper") {
                Some(wrapper) => Some(at(&WRAPPERS, wrapper)?),
                None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_taxonomy_has_four_majors_with_one_held_out_subcategory_each() {
        for major in Major::ALL {
            let subs: Vec<_> = SUBCATEGORIES.iter().filter(|s| s.major == major).collect();
            assert_eq!(subs.len(), 4);
            assert_eq!(subs.iter().filter(|s| s.held_out).count(), 1);
        }
    }

    #[test]
    fn every_request_is_one_text_and_comes_back_from_its_fields() {
        let mut seen = BTreeSet::new();
        for topic in Topic::all() {
            for lang in Lang::ALL {
                for phrasing in 0..PHRASINGS.len() {
                    for wrapper in (0..WRAPPERS.len()).map(Some).chain([None]) {
                        let request = Request { topic, lang, phrasing, wrapper };
                        assert!(seen.insert(request.text()), "{}", request.text());
                        assert_eq!(Request::of_fields(&request.fields()), Some(request));
                    }
                }
            }
        }
    }
}
