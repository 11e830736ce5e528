//! A day of the week that moves.

use super::{Answer, Pen, Problem, Voice, counted_step};
use crate::lexicon::{Both, DAYS, Lang, both};
use crate::rng::Rng;

/// What takes place.
pub(super) const EVENTS: [Both; 4] =
    [both("party", "聚会"), both("trip", "旅行"), both("game", "比赛"), both("show", "演出")];

/// Core: today, days until the event, days it moves (negative for earlier). Colour: the event.
pub(super) fn draw(rng: &mut Rng) -> (Vec<i64>, Vec<i64>) {
    let moves = rng.range(1, 4) * if rng.chance(0.5) { 1 } else { -1 };
    (vec![rng.range(0, 6), rng.range(1, 4), moves], vec![rng.below(EVENTS.len()) as i64])
}

/// The question.
pub(super) fn question(problem: &Problem, lang: Lang) -> String {
    let (today, wait, moves) = (DAYS[problem.core[0] as usize].text(lang), problem.core[1], problem.core[2]);
    let event = EVENTS[problem.colour[0] as usize].text(lang);
    match lang {
        Lang::En => {
            let way = if moves > 0 { "later" } else { "earlier" };
            let by = moves.abs();
            let days = if by == 1 { "day" } else { "days" };
            let waits = if wait == 1 { "day" } else { "days" };
            format!(
                "Today is {today}. The {event} is in {wait} {waits}, but moves {by} {days} {way}. What day is the {event}?"
            )
        }
        Lang::Zh => {
            let way = if moves > 0 { "推后" } else { "提前" };
            format!("今天{today}。{event}在{wait}天后，又{way}{}天。{event}在星期几？", moves.abs())
        }
    }
}

/// The steps: the first date, then the new one.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let mut day = problem.core[0] as usize;
    let mut written = Vec::new();
    for by in &problem.core[1..] {
        let next = pen.day((day as i64 + by).rem_euclid(7) as usize);
        let lang = voice.step(written.len());
        let what = format!("{}{by:+}={}", DAYS[day].text(lang), DAYS[next].text(lang));
        written.push(counted_step(lang, written.len(), &what));
        day = next;
    }
    (written, Answer::Day(day))
}
