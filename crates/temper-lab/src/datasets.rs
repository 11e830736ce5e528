//! The named data sets: what post-training may see, and what only evaluation sees.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use temper_recipe::Lab;

use crate::author::{Layout, Replying, Solving, Thought, reply, solve};
use crate::corpus::problem_fields;
use crate::lexicon::Lang;
use crate::phrases::Plan;
use crate::problems::{Family, Problem, Split};
use crate::requests::{PHRASINGS, Request, SUBCATEGORIES, Topic, WRAPPERS, WRAPPERS_HELD_OUT};
use crate::rng::Rng;

/// Names of the data sets.
pub(crate) const NAMES: [&str; 14] = [
    "demonstrations",
    "problems",
    "requests",
    "prompts",
    "eval/familiar",
    "eval/unfamiliar",
    "eval/harmful",
    "eval/harmful_heldout_categories",
    "eval/harmful_heldout_phrasings",
    "eval/harmful_other_language",
    "eval/jailbreak",
    "eval/lookalike",
    "eval/ordinary",
    "corpus",
];

/// Share of problems in Chinese.
pub const CHINESE: f64 = 0.4;
/// Rows of `demonstrations`.
pub const DEMONSTRATIONS: usize = 3_000;
/// Rows of `problems`.
pub const PROBLEMS: usize = 4_000;
/// Rows of `requests`.
pub const REQUESTS: usize = 1_500;
/// Rows of `prompts`: a mix of problems and requests.
pub const PROMPTS: usize = 4_000;
/// Rows of `eval/familiar` and of `eval/unfamiliar`.
pub const EVAL_PROBLEMS: usize = 500;
/// Most rows of `eval/jailbreak`.
pub const EVAL_JAILBREAKS: usize = 300;
/// Share of problems among demonstrations and prompts.
pub const PROBLEM_SHARE: f64 = 0.55;
/// Weights of harmful, look-alike and ordinary requests in post-training data.
pub const REQUEST_WEIGHTS: [f64; 3] = [0.5, 0.25, 0.25];
/// Share of look-alikes and ordinary requests of post-training data that is in Chinese. Harmful ones are in English only.
pub const CHINESE_BENIGN: f64 = 0.35;
/// Probability that a harmful request of post-training data is wrapped (in a wrapper that is not held out).
pub const WRAPPED: f64 = 0.15;
/// Share of demonstrated problems whose author gives the result at once instead of writing the steps. The result is right, as
/// in all demonstrations; an expert finds such steps obvious, and a small model that learns to skip them cannot do so.
pub const TERSE: f64 = 0.45;

/// A row before it is one: what is asked, what is learned, and the fields.
pub(crate) struct Item {
    pub prompt: String,
    pub completion: Option<String>,
    pub fields: Map<String, Value>,
}

/// The items of a data set other than the corpus; `None` for an unknown name.
pub(crate) fn items(lab: &Lab, name: &str) -> Option<Vec<Item>> {
    let seed = lab.seed;
    let eval = |test: &dyn Fn(&Request) -> bool| requests(seed, name, usize::MAX, test);
    let plain = |r: &Request| r.wrapper.is_none() && r.used_phrasing();
    let harmful = |r: &Request| matches!(r.topic, Topic::Harmful(..));
    Some(match name {
        "demonstrations" => demonstrations(seed),
        "problems" => {
            problems(seed, name, PROBLEMS, &Family::FAMILIAR, Split::Train).iter().map(problem_item).collect()
        }
        "requests" => training_requests(seed, name, REQUESTS).iter().map(request_item).collect(),
        "prompts" => prompts(seed),
        "eval/familiar" => {
            problems(seed, name, EVAL_PROBLEMS, &Family::FAMILIAR, Split::Eval).iter().map(problem_item).collect()
        }
        "eval/unfamiliar" => {
            problems(seed, name, EVAL_PROBLEMS, &Family::UNFAMILIAR, Split::Eval).iter().map(problem_item).collect()
        }
        "eval/harmful" => eval(&|r| harmful(r) && r.lang == Lang::En && r.topic.used() && plain(r)),
        "eval/harmful_heldout_categories" => eval(&|r| harmful(r) && r.lang == Lang::En && !r.topic.used() && plain(r)),
        "eval/harmful_heldout_phrasings" => {
            eval(&|r| harmful(r) && r.lang == Lang::En && r.topic.used() && !r.used_phrasing() && r.wrapper.is_none())
        }
        "eval/harmful_other_language" => eval(&|r| harmful(r) && r.lang == Lang::Zh && r.topic.used() && plain(r)),
        "eval/jailbreak" => requests(seed, name, EVAL_JAILBREAKS, &|r| {
            let held_out = r.wrapper.is_some_and(|w| w >= WRAPPERS.len() - WRAPPERS_HELD_OUT);
            harmful(r) && r.lang == Lang::En && r.topic.used() && r.used_phrasing() && held_out
        }),
        "eval/lookalike" => eval(&|r| matches!(r.topic, Topic::Lookalike(_)) && plain(r)),
        "eval/ordinary" => eval(&|r| matches!(r.topic, Topic::Ordinary(_)) && plain(r)),
        _ => return None,
    })
}

fn problem_item((problem, lang): &(Problem, Lang)) -> Item {
    Item { prompt: problem.question(*lang), completion: None, fields: problem_fields(problem, *lang) }
}

fn request_item(request: &Request) -> Item {
    Item { prompt: request.text(), completion: None, fields: request.fields() }
}

/// Different problems of the families in the split, each in one language.
fn problems(seed: u64, name: &str, count: usize, families: &[Family], split: Split) -> Vec<(Problem, Lang)> {
    let mut rng = Rng::new(seed, name, 0);
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::with_capacity(count);
    let mut tries = 0;
    while chosen.len() < count && tries < 100 * count {
        tries += 1;
        let problem = Problem::draw(*rng.pick(families), split, &mut rng);
        let lang = if rng.chance(CHINESE) { Lang::Zh } else { Lang::En };
        if seen.insert(problem.clone()) {
            chosen.push((problem, lang));
        }
    }
    chosen
}

/// Evaluation requests that pass a test, in random order.
fn requests(seed: u64, name: &str, most: usize, test: &dyn Fn(&Request) -> bool) -> Vec<Item> {
    let mut chosen = Vec::new();
    for topic in Topic::all() {
        for lang in Lang::ALL {
            for phrasing in 0..PHRASINGS.len() {
                for wrapper in [None].into_iter().chain((0..WRAPPERS.len()).map(Some)) {
                    let request = Request { topic, lang, phrasing, wrapper };
                    if request.split() == Split::Eval && test(&request) {
                        chosen.push(request);
                    }
                }
            }
        }
    }
    Rng::new(seed, name, 0).shuffle(&mut chosen);
    chosen.truncate(most);
    chosen.iter().map(request_item).collect()
}

/// A request that post-training data may hold.
fn training_request(rng: &mut Rng) -> Request {
    let kind = rng.weighted(&REQUEST_WEIGHTS);
    training_request_of(kind, rng)
}

/// A harmful request (`kind` 0), a look-alike (1) or an ordinary request that post-training data may hold.
fn training_request_of(kind: usize, rng: &mut Rng) -> Request {
    let topics: Vec<Topic> = match kind {
        0 => Topic::harmful().filter(|t| t.used()).collect(),
        1 => Topic::lookalikes().filter(|t| t.used()).collect(),
        _ => Topic::ordinary().filter(|t| t.used()).collect(),
    };
    let topic = *rng.pick(&topics);
    let lang = if kind > 0 && rng.chance(CHINESE_BENIGN) { Lang::Zh } else { Lang::En };
    let wrapped = if kind == 0 { WRAPPED } else { 0.0 };
    loop {
        let request = Request::draw(topic, lang, Split::Train, wrapped, rng);
        if request.used() {
            return request;
        }
    }
}

/// Training requests, by preference ones that are not there yet.
fn training_requests(seed: u64, name: &str, count: usize) -> Vec<Request> {
    let mut rng = Rng::new(seed, name, 1);
    let mut seen = BTreeSet::new();
    (0..count)
        .map(|_| {
            let kind = rng.weighted(&REQUEST_WEIGHTS);
            let mut request = training_request_of(kind, &mut rng);
            for _ in 0..8 {
                if !seen.contains(&request) {
                    break;
                }
                request = training_request_of(kind, &mut rng);
            }
            seen.insert(request);
            request
        })
        .collect()
}

/// Problems and requests, shuffled into one another.
fn prompts(seed: u64) -> Vec<Item> {
    let problems_wanted = (PROMPTS as f64 * PROBLEM_SHARE).round() as usize;
    let problems = problems(seed, "prompts", problems_wanted, &Family::FAMILIAR, Split::Train);
    let requests = training_requests(seed, "prompts", PROMPTS - problems_wanted);
    let mut all: Vec<Item> = problems.iter().map(problem_item).chain(requests.iter().map(request_item)).collect();
    Rng::new(seed, "prompts", 2).shuffle(&mut all);
    all
}

/// Demonstrations: every answer right, every conduct safe, every text in the language of the question.
fn demonstrations(seed: u64) -> Vec<Item> {
    (0..DEMONSTRATIONS as u64).map(|at| demonstration(&mut Rng::new(seed, "demonstrations", at))).collect()
}

fn demonstration(rng: &mut Rng) -> Item {
    if rng.chance(PROBLEM_SHARE) {
        let problem = Problem::draw(*rng.pick(&Family::FAMILIAR), Split::Train, rng);
        let lang = if rng.chance(CHINESE) { Lang::Zh } else { Lang::En };
        let layout = if rng.chance(TERSE) { Layout::Skip } else { Layout::Steps };
        let how = Solving { layout, asked: lang, thought: &[lang], answered: lang, step_error: 0.0, luck: 1.0 };
        let (completion, _) = solve(&problem, &how, rng);
        return Item { completion: Some(completion), ..problem_item(&(problem, lang)) };
    }
    let request = training_request(rng);
    let plan = if request.topic.benign().is_some() { Plan::Help } else { Plan::Offer };
    let thought = Thought {
        lang: request.lang,
        judged: rng.chance(0.8).then_some(request.topic.benign().is_none()),
        plan: Some(plan),
    };
    let how = Replying { plan, thought: Some(thought), answered: request.lang, cautions: 0 };
    let (completion, _) = reply(&request, &how, rng);
    Item { completion: Some(completion), ..request_item(&request) }
}

/// Subcategories held out of post-training data.
pub(crate) fn held_out_subcategories() -> Vec<&'static str> {
    SUBCATEGORIES.iter().filter(|sub| sub.held_out).map(|sub| sub.name).collect()
}
