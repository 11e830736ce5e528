//! How many numbers of a list pass a test.

use super::{Answer, Pen, Problem, Voice};
use crate::lexicon::Lang;
use crate::rng::Rng;

/// Core: whether greater is asked for, the bound, the numbers (of one digit).
pub(super) fn draw(rng: &mut Rng) -> (Vec<i64>, Vec<i64>) {
    let bound = rng.range(2, 8);
    let mut core = vec![rng.range(0, 1), bound];
    for _ in 0..rng.range(3, 4) {
        core.push(loop {
            let n = rng.range(1, 9);
            if n != bound && !core[2..].contains(&n) {
                break n;
            }
        });
    }
    (core, Vec::new())
}

/// The question.
pub(super) fn question(problem: &Problem, lang: Lang) -> String {
    let (greater, bound, numbers) = (problem.core[0] == 1, problem.core[1], &problem.core[2..]);
    let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
    match lang {
        Lang::En => {
            let test = if greater { "greater" } else { "less" };
            format!("How many of {} are {test} than {bound}?", list.join(", "))
        }
        Lang::Zh => {
            let test = if greater { "大于" } else { "小于" };
            format!("{}中有几个{test}{bound}？", list.join("、"))
        }
    }
}

/// The steps: each number against the bound, with the count so far.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let (greater, bound) = (problem.core[0] == 1, problem.core[1]);
    let sign = if greater { '>' } else { '<' };
    let mut written = Vec::new();
    let mut total = 0;
    for n in &problem.core[2..] {
        let yes = pen.flag((*n > bound) == greater);
        total += i64::from(yes);
        written.push(match (voice.step(written.len()), yes) {
            (Lang::En, true) => format!("{n}{sign}{bound} yes,{total}."),
            (Lang::En, false) => format!("{n}{sign}{bound} no,{total}."),
            (Lang::Zh, true) => format!("{n}{sign}{bound}是，{total}。"),
            (Lang::Zh, false) => format!("{n}{sign}{bound}不是，{total}。"),
        });
    }
    (written, Answer::Number(total))
}
