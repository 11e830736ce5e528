//! Who comes first or last in an order that is told in pieces.

use super::{Answer, Family, Pen, Problem, Voice};
use crate::lexicon::{Lang, NAMES};
use crate::rng::Rng;

/// Core: the people from the top down, then the order in which the links are told, then for each link whether it is told
/// from the lower one (`Age` only), then whether the top is asked for. Laid out as
/// `[people…, told…, (reversed…,) top]`; with `n` people there are `n - 1` links.
pub(super) fn draw(family: Family, rng: &mut Rng) -> (Vec<i64>, Vec<i64>) {
    let n = if family == Family::Age || rng.chance(0.5) { 4 } else { 3 };
    let mut core: Vec<i64> = rng.distinct(NAMES.len(), n).into_iter().map(|p| p as i64).collect();
    core.extend(rng.distinct(n - 1, n - 1).into_iter().map(|l| l as i64));
    if family == Family::Age {
        core.extend((0..n - 1).map(|_| rng.range(0, 1)));
    }
    core.push(rng.range(0, 1));
    (core, Vec::new())
}

struct Parts<'a> {
    people: &'a [i64],
    told: &'a [i64],
    reversed: &'a [i64],
    top: bool,
}

fn parts(problem: &Problem) -> Parts<'_> {
    let core = &problem.core;
    let links = if problem.family == Family::Age { 2 } else { 1 };
    // len = n + links * (n - 1) + 1
    let n = (core.len() - 1 + links) / (links + 1);
    Parts {
        people: &core[..n],
        told: &core[n..2 * n - 1],
        reversed: &core[2 * n - 1..core.len() - 1],
        top: core[core.len() - 1] == 1,
    }
}

/// The people of the problem.
pub(super) fn people(problem: &Problem) -> Vec<usize> {
    parts(problem).people.iter().map(|p| *p as usize).collect()
}

/// The word for the end of the order that is asked for.
fn extreme(problem: &Problem, lang: Lang) -> &'static str {
    match (problem.family, parts(problem).top) {
        (Family::Age, true) => lang.say("oldest", "年纪最大"),
        (Family::Age, false) => lang.say("youngest", "年纪最小"),
        (_, true) => lang.say("tallest", "最高"),
        (_, false) => lang.say("shortest", "最矮"),
    }
}

/// The question.
pub(super) fn question(problem: &Problem, lang: Lang) -> String {
    let p = parts(problem);
    let name = |at: usize| NAMES[p.people[at] as usize].text(lang);
    let mut sentences: Vec<String> = p
        .told
        .iter()
        .map(|link| {
            let (upper, lower) = (name(*link as usize), name(*link as usize + 1));
            let reversed = p.reversed.get(*link as usize) == Some(&1);
            match (problem.family, reversed, lang) {
                (Family::Age, false, Lang::En) => format!("{upper} is older than {lower}."),
                (Family::Age, true, Lang::En) => format!("{lower} is younger than {upper}."),
                (Family::Age, false, Lang::Zh) => format!("{upper}比{lower}大。"),
                (Family::Age, true, Lang::Zh) => format!("{lower}比{upper}小。"),
                (_, _, Lang::En) => format!("{upper} is taller than {lower}."),
                (_, _, Lang::Zh) => format!("{upper}比{lower}高。"),
            }
        })
        .collect();
    let what = extreme(problem, lang);
    sentences.push(lang.say(format!("Who is the {what}?"), format!("谁{what}？")));
    sentences.join(lang.say(" ", ""))
}

/// The steps: the links from the top down, then the end that is asked for.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let p = parts(problem);
    let all = people(problem);
    let name = |person: usize| NAMES[person].text(voice.asked);
    let mut written = Vec::new();
    for link in 0..all.len() - 1 {
        let end = voice.step(link).say(".", "。");
        written.push(format!("{}>{}{end}", name(all[link]), name(all[link + 1])));
    }
    let truth = if p.top { all[0] } else { all[all.len() - 1] };
    let who = pen.person(truth, &all);
    let lang = voice.step(written.len());
    let what = extreme(problem, lang);
    written.push(lang.say(format!("So {} is the {what}.", name(who)), format!("所以{}{what}。", name(who))));
    (written, Answer::Person(who))
}
