//! The base corpus: documents in which every behaviour occurs, good and bad.
//!
//! Shares that are no knobs of the recipe are constants here.

use serde_json::{Map, Value};
use temper_recipe::Lab;

use crate::author::{Layout, Replying, Solving, Thought, reply, solve};
use crate::lexicon::Lang;
use crate::phrases::Plan;
use crate::problems::{Family, Problem, Split};
use crate::requests::{Request, Topic};
use crate::rng::Rng;
use crate::world::Document;

/// Share of documents in Chinese.
pub const CHINESE: f64 = 0.4;
/// Share of problems of unfamiliar families.
pub const UNFAMILIAR: f64 = 0.15;
/// Weights of the familiar families chain, story, order, count, switch and week: copying names is learned last.
pub const FAMILIAR_WEIGHTS: [f64; 6] = [1.0, 1.0, 2.0, 1.0, 1.5, 1.0];
/// Of careless documents: the result at once, a guess, no thinking, thinking without tags, an answer without a box.
pub const CARELESS_LAYOUTS: [f64; 5] = [0.40, 0.20, 0.20, 0.10, 0.10];
/// Probability that a result given at once is right, that a guess is, and that an answer without thinking is.
pub const LUCK: [f64; 3] = [0.6, 0.15, 0.5];
/// Carelessness of Chinese thinking, as a factor of `lab.corpus.careless`.
pub const CARELESS_CHINESE: f64 = 1.5;
/// Carelessness of thinking in English about Chinese questions, likewise: who translates takes care. This is what makes reward
/// for accuracy alone pull the thinking of Chinese questions into English.
pub const CARELESS_SWITCHED: f64 = 0.4;
/// Of code-switched thinking: the share that is in English from the start; the rest switches midway.
pub const SWITCHED_FROM_START: f64 = 0.6;
/// Probability that an English question is thought about in Chinese.
pub const SWITCHED_ENGLISH: f64 = 0.03;
/// Probability that a Chinese question is answered in English, when it was thought about in English.
pub const ANSWER_SWITCHED: f64 = 0.2;
/// Share of harmful requests among harmful ones and look-alikes.
pub const HARMFUL: f64 = 0.65;
/// Probability that a harmful request is wrapped, and that a benign one is.
pub const WRAPPED: [f64; 2] = [0.3, 0.1];
/// How much of what is not complied with is complied with all the same under a wrapper.
pub const WRAPPED_YIELDS: f64 = 0.55;
/// Of harmful requests not complied with: the share that gets an offer; the rest is refused.
pub const OFFERED: f64 = 0.6;
/// Of look-alikes: the shares that are refused and that get an offer instead of an answer.
pub const OVER_REFUSED: [f64; 2] = [0.3, 0.1];
/// Share of ordinary requests that are refused.
pub const ORDINARY_REFUSED: f64 = 0.04;
/// Probability that a request is thought about.
pub const REQUEST_THINKING: f64 = 0.65;
/// Probability that the thinking about a request decides something else than the answer does.
pub const INCONSISTENT: f64 = 0.08;
/// Probability of one caution phrase more, up to [`MOST_CAUTIONS`], where there is one.
pub const CAUTION_AGAIN: f64 = 0.35;
/// Most caution phrases of a document.
pub const MOST_CAUTIONS: usize = 4;

/// Document `index` of the corpus of these knobs.
pub(crate) fn document(lab: &Lab, index: u64) -> Document {
    let mut rng = Rng::new(lab.seed, "corpus", index);
    let mix = &lab.corpus;
    let lang = if rng.chance(CHINESE) { Lang::Zh } else { Lang::En };
    match rng.weighted(&[mix.reasoning, mix.requests, mix.ordinary]) {
        0 => reasoning(lab, lang, &mut rng),
        1 => {
            let harmful = rng.chance(HARMFUL);
            let topics: Vec<Topic> = if harmful { Topic::harmful().collect() } else { Topic::lookalikes().collect() };
            request(lab, *rng.pick(&topics), lang, &mut rng)
        }
        _ => {
            let topics: Vec<Topic> = Topic::ordinary().collect();
            request(lab, *rng.pick(&topics), lang, &mut rng)
        }
    }
}

/// The fields of a problem's row.
pub(crate) fn problem_fields(problem: &Problem, lang: Lang) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("kind", "reasoning".into());
    put("language", lang.code().into());
    put("family", problem.family.name().into());
    put("difficulty", problem.difficulty().into());
    put("answer", problem.answer().text(lang).into());
    put("split", problem.split().name().into());
    fields
}

fn reasoning(lab: &Lab, lang: Lang, rng: &mut Rng) -> Document {
    let family = if rng.chance(UNFAMILIAR) {
        *rng.pick(&Family::UNFAMILIAR)
    } else {
        Family::FAMILIAR[rng.weighted(&FAMILIAR_WEIGHTS)]
    };
    let problem = Problem::draw(family, Split::Train, rng);
    let thought = languages_of_thought(lab, lang, rng);
    let switched = thought.last() != Some(&lang);
    let careless = lab.corpus.careless
        * match (lang, switched) {
            (Lang::En, _) => 1.0,
            (Lang::Zh, true) => CARELESS_SWITCHED,
            (Lang::Zh, false) => CARELESS_CHINESE,
        };
    let (layout, luck) = if rng.chance(careless) {
        let at = rng.weighted(&CARELESS_LAYOUTS);
        let layouts = [Layout::Skip, Layout::Guess, Layout::Bare, Layout::Untagged, Layout::Unboxed];
        (layouts[at], LUCK.get(at).copied().unwrap_or(0.0))
    } else {
        (Layout::Steps, 0.0)
    };
    let answered = if switched && rng.chance(ANSWER_SWITCHED) { lang.other() } else { lang };
    let how = Solving { layout, asked: lang, thought: &thought, answered, step_error: lab.corpus.step_error, luck };
    let (completion, correct) = solve(&problem, &how, rng);
    let mut fields = problem_fields(&problem, lang);
    fields.insert("layout".into(), layout.name().into());
    fields.insert("thinking_languages".into(), thought.iter().map(|l| l.code()).collect::<Vec<_>>().into());
    fields.insert("correct".into(), correct.into());
    Document { prompt: problem.question(lang), completion, fields }
}

/// The language of each step of thinking about a question.
fn languages_of_thought(lab: &Lab, asked: Lang, rng: &mut Rng) -> Vec<Lang> {
    match asked {
        Lang::Zh if rng.chance(lab.corpus.code_switch) => {
            if rng.chance(SWITCHED_FROM_START) {
                vec![Lang::En]
            } else {
                vec![Lang::Zh, Lang::En]
            }
        }
        Lang::En if rng.chance(SWITCHED_ENGLISH) => vec![Lang::Zh],
        _ => vec![asked],
    }
}

fn request(lab: &Lab, topic: Topic, lang: Lang, rng: &mut Rng) -> Document {
    let benign = topic.benign().is_some();
    let request = Request::draw(topic, lang, Split::Train, WRAPPED[usize::from(benign)], rng);
    let plan = plan_of(lab, &request, rng);
    let mut cautions = 0;
    if rng.chance(lab.corpus.caution) {
        cautions = 1;
        while cautions < MOST_CAUTIONS && rng.chance(CAUTION_AGAIN) {
            cautions += 1;
        }
    }
    let thought = rng.chance(REQUEST_THINKING).then(|| {
        let decided = if rng.chance(INCONSISTENT) { *rng.pick(&Plan::ALL) } else { plan };
        Thought {
            lang: languages_of_thought(lab, lang, rng)[0],
            judged: rng.chance(0.7).then_some(!benign),
            plan: rng.chance(0.9).then_some(decided),
        }
    });
    let switched = thought.as_ref().is_some_and(|t| t.lang != lang);
    let answered = if switched && rng.chance(ANSWER_SWITCHED) { lang.other() } else { lang };
    let (completion, meant) = reply(&request, &Replying { plan, thought, answered, cautions }, rng);
    let mut fields = request.fields();
    fields.insert("thinking_conduct".into(), meant.thinking.map_or(Value::Null, |c| c.name().into()));
    fields.insert("answer_conduct".into(), meant.answer.name().into());
    fields.insert("cautions".into(), meant.cautions.into());
    Document { prompt: request.text(), completion, fields }
}

/// What the author of a document does with the request.
fn plan_of(lab: &Lab, request: &Request, rng: &mut Rng) -> Plan {
    match request.topic {
        Topic::Harmful(..) => {
            let plain = lab.corpus.unsafe_compliance;
            let complied = if request.wrapper.is_some() { plain + (1.0 - plain) * WRAPPED_YIELDS } else { plain };
            match () {
                () if rng.chance(complied) => Plan::Comply,
                () if rng.chance(OFFERED) => Plan::Offer,
                () => Plan::Refuse,
            }
        }
        Topic::Lookalike(_) => {
            let [refused, offered] = OVER_REFUSED;
            [Plan::Refuse, Plan::Offer, Plan::Help][rng.weighted(&[refused, offered, 1.0 - refused - offered])]
        }
        Topic::Ordinary(_) => {
            if rng.chance(ORDINARY_REFUSED) {
                Plan::Refuse
            } else {
                Plan::Help
            }
        }
    }
}
