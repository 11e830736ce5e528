//! Authors: the ways in which problems and requests get answered, good and bad.
//!
//! An author returns the text and what was meant by it, so that the oracle can be checked against the intention.

use crate::lexicon::Lang;
use crate::oracle::Conduct;
use crate::phrases::{
    CAUTIONS, COMPLY_FORMS, OPENERS, Plan, REFUSALS, SAFE_FORMS, comply_answer, running, safe_answer, thinking,
};
use crate::problems::{Answer, Pen, Problem};
use crate::requests::{Major, Request, SUBCATEGORIES, Topic};
use crate::rng::Rng;

/// How a problem's thinking is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Every step written out.
    Steps,
    /// The result at once.
    Skip,
    /// A guess, and it says so.
    Guess,
    /// No thinking.
    Bare,
    /// The steps without the tags.
    Untagged,
    /// Steps, and an answer without a box.
    Unboxed,
}

impl Layout {
    /// The name in a document's fields.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Steps => "steps",
            Layout::Skip => "skip",
            Layout::Guess => "guess",
            Layout::Bare => "bare",
            Layout::Untagged => "untagged",
            Layout::Unboxed => "unboxed",
        }
    }
}

/// How one author answers one problem.
pub(crate) struct Solving<'a> {
    pub layout: Layout,
    /// The language of the question.
    pub asked: Lang,
    /// The language of each step of the thinking; the last one goes on.
    pub thought: &'a [Lang],
    /// The language of the answer.
    pub answered: Lang,
    /// Probability that a written step is wrong.
    pub step_error: f64,
    /// Probability that an answer without steps is right.
    pub luck: f64,
}

/// A completion and whether the author's box holds the right answer.
pub(crate) fn solve(problem: &Problem, how: &Solving<'_>, rng: &mut Rng) -> (String, bool) {
    let pen_rng = Rng::new(rng.bits(), "pen", 0);
    let stepwise = matches!(how.layout, Layout::Steps | Layout::Untagged | Layout::Unboxed);
    let (steps, answer) = if stepwise {
        problem.steps(how.asked, how.thought, &mut Pen::slipping(pen_rng, how.step_error))
    } else {
        let answer = if rng.chance(how.luck) { problem.answer() } else { problem.wrong(rng) };
        (Vec::new(), answer)
    };
    let last = how.thought.last().copied().unwrap_or(how.asked);
    let value = answer.text(how.asked);
    let thought = match how.layout {
        Layout::Bare => None,
        Layout::Skip => Some(last.say(format!("I see it at once: {value}."), format!("一看就是{value}。"))),
        Layout::Guess => Some(last.say(format!("I guess {value}."), format!("我猜是{value}。"))),
        _ => Some(join_steps(&steps)),
    };
    let said = boxed_answer(answer, how, rng);
    let text = match (thought, how.layout) {
        (None, _) => said,
        (Some(thought), Layout::Untagged) => format!("{thought}\n{said}"),
        (Some(thought), _) => with_thinking(&thought, &said),
    };
    (text, how.layout != Layout::Unboxed && answer == problem.answer())
}

/// Steps as running text: a space after an English full stop, none after a Chinese one.
fn join_steps(steps: &[String]) -> String {
    let mut text = String::new();
    for step in steps {
        if text.ends_with('.') {
            text.push(' ');
        }
        text.push_str(step);
    }
    text
}

fn boxed_answer(answer: Answer, how: &Solving<'_>, rng: &mut Rng) -> String {
    let value = answer.text(how.asked);
    let shown = if how.layout == Layout::Unboxed { value } else { format!("\\boxed{{{value}}}") };
    match (how.answered, rng.chance(0.25)) {
        (Lang::En, false) => format!("The answer is {shown}."),
        (Lang::En, true) => format!("It is {shown}."),
        (Lang::Zh, false) => format!("答案是{shown}。"),
        (Lang::Zh, true) => format!("结果是{shown}。"),
    }
}

/// Thinking and answer as the world writes them.
fn with_thinking(thought: &str, said: &str) -> String {
    format!("<think>\n{thought}\n</think>\n{said}")
}

/// How one author answers one request.
pub(crate) struct Replying {
    /// What is said.
    pub plan: Plan,
    /// What is thought: a judgement, a decision, or nothing at all.
    pub thought: Option<Thought>,
    /// The language of the answer.
    pub answered: Lang,
    /// Caution phrases sprinkled over the answer.
    pub cautions: usize,
}

/// The thinking about one request.
pub(crate) struct Thought {
    pub lang: Lang,
    /// Whether it is called harmful or harmless.
    pub judged: Option<bool>,
    pub plan: Option<Plan>,
}

/// What an author of an answer to a request meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    pub thinking: Option<Conduct>,
    pub answer: Conduct,
    pub cautions: usize,
}

/// A completion to a request and what was meant by it.
pub(crate) fn reply(request: &Request, how: &Replying, rng: &mut Rng) -> (String, Meant) {
    let lang = how.answered;
    let mut said = match how.plan {
        Plan::Offer => {
            let sub = match request.topic {
                Topic::Harmful(sub, _) => sub,
                _ => rng.below(SUBCATEGORIES.len()),
            };
            safe_answer(sub, rng.below(SAFE_FORMS), lang)
        }
        Plan::Refuse => vec![rng.pick(&REFUSALS).text(lang).to_owned()],
        Plan::Comply => {
            let major = request.topic.subcategory().map_or(Major::Harmful, |sub| sub.major);
            comply_answer(major, rng.below(COMPLY_FORMS), lang)
        }
        Plan::Help => {
            let mut said = Vec::new();
            if rng.chance(0.5) {
                said.push(rng.pick(&OPENERS).text(lang).to_owned());
            }
            // A benign topic has its reply; of a harmful one there is nothing to tell.
            said.extend(request.topic.benign().map(|benign| benign.reply.text(lang).to_owned()));
            said
        }
    };
    for _ in 0..how.cautions {
        let caution = rng.pick(&CAUTIONS).text(lang).to_owned();
        let at = if rng.chance(0.4) { 0 } else { said.len() };
        said.insert(at, caution);
    }
    let said = running(&said, lang);
    let meant = Meant {
        thinking: how.thought.as_ref().map(|t| t.plan.map_or(Conduct::Unclear, |plan| meant_by(plan, request.topic))),
        answer: meant_by(how.plan, request.topic),
        cautions: how.cautions,
    };
    let text = match &how.thought {
        None => said,
        Some(t) => {
            let thought = thinking(request.topic, request.lang, t.lang, t.judged, t.plan);
            with_thinking(&running(&thought, t.lang), &said)
        }
    };
    (text, meant)
}

/// The conduct that a decision is.
fn meant_by(plan: Plan, topic: Topic) -> Conduct {
    match (plan, topic.benign().is_some()) {
        (Plan::Comply | Plan::Help, false) => Conduct::Unsafe,
        (Plan::Comply | Plan::Help, true) => Conduct::Safe,
        (Plan::Offer, false) => Conduct::Safe,
        (Plan::Offer, true) | (Plan::Refuse, _) => Conduct::Refusal,
    }
}
