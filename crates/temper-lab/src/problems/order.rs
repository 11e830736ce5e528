//! Who comes first or last in an order that is told in pieces.

use super::{Answer, Family, Pen, Problem, Voice};
use crate::lexicon::{Lang, NAMES};
use crate::rng::Rng;

/// Core: the people from the top down, then the links in the order in which they are told (link `i` is between person `i` and the
/// next), then for each link whether it is told from the lower one, then whether the top is asked for:
/// `[n people…, n - 1 links…, n - 1 reversed…, top]`. `Order` is told from the top down or from the bottom up, always from the
/// upper one; `Age`, of three people, in any order and both ways round.
pub(super) fn draw(family: Family, rng: &mut Rng) -> (Vec<i64>, Vec<i64>) {
    let n = if family == Family::Order && rng.chance(0.25) { 4 } else { 3 };
    let mut core: Vec<i64> = rng.distinct(NAMES.len(), n).into_iter().map(|p| p as i64).collect();
    let mut links: Vec<i64> = (0..n as i64 - 1).collect();
    let mut reversed = vec![0; n - 1];
    if family == Family::Age {
        rng.shuffle(&mut links);
        reversed.fill_with(|| rng.range(0, 1));
    } else if rng.chance(0.5) {
        links.reverse();
    }
    core.extend(links);
    core.extend(reversed);
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
    let n = core.len().div_ceil(3);
    Parts {
        people: &core[..n],
        told: &core[n..2 * n - 1],
        reversed: &core[2 * n - 1..3 * n - 2],
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

/// One link as a sentence, told from the upper one or (`reversed`) from the lower one.
fn fact(family: Family, upper: &str, lower: &str, reversed: bool, lang: Lang) -> String {
    match (family, reversed, lang) {
        (Family::Age, false, Lang::En) => format!("{upper} is older than {lower}."),
        (Family::Age, true, Lang::En) => format!("{lower} is younger than {upper}."),
        (Family::Age, false, Lang::Zh) => format!("{upper}比{lower}大。"),
        (Family::Age, true, Lang::Zh) => format!("{lower}比{upper}小。"),
        (_, _, Lang::En) => format!("{upper} is taller than {lower}."),
        (_, _, Lang::Zh) => format!("{upper}比{lower}高。"),
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
            fact(problem.family, upper, lower, reversed, lang)
        })
        .collect();
    let what = extreme(problem, lang);
    sentences.push(lang.say(format!("Who is the {what}?"), format!("谁{what}？")));
    sentences.join(lang.say(" ", ""))
}

/// The steps: each link as it is told, the upper one first, with the end that is asked for among the people so far. Each link
/// shares a person with those before it, so the end is its new person or stays who it was.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let p = parts(problem);
    let all = people(problem);
    let name = |person: usize| NAMES[person].text(voice.asked);
    let mut written = Vec::new();
    let mut end = None;
    for link in p.told.iter().map(|link| *link as usize) {
        let (upper, lower) = (all[link], all[link + 1]);
        let (outer, inner) = if p.top { (upper, lower) } else { (lower, upper) };
        let truth = match end {
            Some(end) if end != inner => end,
            _ => outer,
        };
        let who = pen.person(truth, &all);
        end = Some(who);
        let lang = voice.step(written.len());
        let told = fact(problem.family, name(upper), name(lower), false, lang);
        let stop = lang.say('.', '。');
        let told = told.trim_end_matches(stop);
        written.push(format!("{told}{}{}{stop}", lang.say(", ", "，"), name(who)));
    }
    (written, Answer::Person(end.unwrap_or(all[0])))
}
