//! A device that people press or leave alone.

use super::{Answer, Pen, Problem, Voice};
use crate::lexicon::{DEVICES, Lang, NAMES};
use crate::rng::Rng;

/// Core: on at first, then for each person who it is and whether they press. Colour: the device.
pub(super) fn draw(rng: &mut Rng) -> (Vec<i64>, Vec<i64>) {
    let mut core = vec![rng.range(0, 1)];
    let count = if rng.chance(0.25) { 4 } else { 3 };
    for person in rng.distinct(NAMES.len(), count) {
        core.extend([person as i64, i64::from(rng.chance(0.65))]);
    }
    (core, vec![rng.below(DEVICES.len()) as i64])
}

/// The question.
pub(super) fn question(problem: &Problem, lang: Lang) -> String {
    let device = DEVICES[problem.colour[0] as usize].text(lang);
    let power = Answer::Power(problem.core[0] == 1).text(lang);
    let mut sentences = vec![lang.say(format!("The {device} is {power}."), format!("{device}是{power}的。"))];
    for pair in problem.core[1..].chunks_exact(2) {
        let name = NAMES[pair[0] as usize].text(lang);
        sentences.push(match (pair[1] == 1, lang) {
            (true, Lang::En) => format!("{name} presses."),
            (true, Lang::Zh) => format!("{name}按。"),
            (false, Lang::En) => format!("{name} waits."),
            (false, Lang::Zh) => format!("{name}等。"),
        });
    }
    sentences.push(lang.say(format!("Is the {device} on or off?"), format!("{device}是开还是关？")));
    sentences.join(lang.say(" ", ""))
}

/// The steps: what each person does and the state after it.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let mut on = problem.core[0] == 1;
    let mut written = Vec::new();
    for pair in problem.core[1..].chunks_exact(2) {
        on = pen.flag(on ^ (pair[1] == 1));
        let lang = voice.step(written.len());
        let (name, power) = (NAMES[pair[0] as usize].text(voice.asked), Answer::Power(on).text(lang));
        written.push(match (lang, pair[1] == 1) {
            (Lang::En, true) => format!("{name} presses, {power}."),
            (Lang::En, false) => format!("{name} waits, {power}."),
            (Lang::Zh, true) => format!("{name}按，{power}。"),
            (Lang::Zh, false) => format!("{name}等，{power}。"),
        });
    }
    (written, Answer::Power(on))
}
