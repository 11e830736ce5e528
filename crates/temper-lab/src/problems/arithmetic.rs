//! Families whose steps are sums.

use super::{Answer, Family, Pen, Problem, Voice, counted_step};
use crate::lexicon::{Lang, NAMES, THINGS};
use crate::rng::Rng;

type Drawn = (Vec<i64>, Vec<i64>);

/// An operation of a chain.
#[derive(Clone, Copy)]
enum Op {
    Add,
    Subtract,
    Times,
}

impl Op {
    fn of(code: i64) -> Self {
        match code {
            0 => Op::Add,
            1 => Op::Subtract,
            _ => Op::Times,
        }
    }

    fn sign(self) -> char {
        match self {
            Op::Add => '+',
            Op::Subtract => '-',
            Op::Times => '*',
        }
    }

    fn apply(self, a: i64, b: i64) -> i64 {
        match self {
            Op::Add => a + b,
            Op::Subtract => a - b,
            Op::Times => a * b,
        }
    }
}

/// Largest intermediate result of chains and stories. A model of a million parameters meets each sum often enough to learn it.
const MOST: i64 = 25;

/// A small operand.
fn operand(rng: &mut Rng) -> i64 {
    rng.range(1, 5)
}

/// Start, then pairs of operation and operand.
pub(super) fn draw_chain(rng: &mut Rng) -> Drawn {
    let count = if rng.chance(0.4) { 2 } else { 3 };
    let mut value = rng.range(2, 20);
    let mut core = vec![value];
    for _ in 0..count {
        let (code, n) = loop {
            let code = rng.weighted(&[0.4, 0.4, 0.2]) as i64;
            let n = if code == 2 { 2 } else { operand(rng) };
            if (0..=MOST).contains(&Op::of(code).apply(value, n)) && (code < 2 || value <= 10) {
                break (code, n);
            }
        };
        value = Op::of(code).apply(value, n);
        core.extend([code, n]);
    }
    (core, Vec::new())
}

/// Had, got, given away, and sometimes got again.
pub(super) fn draw_story(rng: &mut Rng) -> Drawn {
    let again = if rng.chance(0.5) { 0 } else { operand(rng) };
    (vec![rng.range(5, 18), operand(rng), operand(rng), again], vec![some_name(rng), some_thing(rng)])
}

/// Start, then pairs of operation (no products) and operand.
pub(super) fn draw_long(rng: &mut Rng) -> Drawn {
    let mut value = rng.range(5, 18);
    let mut core = vec![value];
    for _ in 0..rng.range(4, 5) {
        let n = operand(rng);
        let code = if value < 6 { 0 } else { i64::from(value > MOST - 6 || rng.chance(0.5)) };
        value = Op::of(code).apply(value, n);
        core.extend([code, n]);
    }
    (core, Vec::new())
}

/// Total, people, more, given away.
pub(super) fn draw_share(rng: &mut Rng) -> Drawn {
    let (people, each) = (rng.range(2, 4), rng.range(2, 8));
    (vec![people * each, people, operand(rng), rng.range(1, 2)], vec![some_name(rng), some_thing(rng)])
}

/// One's things, how many more the second has, how many less the third.
pub(super) fn draw_compare(rng: &mut Rng) -> Drawn {
    let who = rng.distinct(NAMES.len(), 3);
    let mut colour: Vec<i64> = who.into_iter().map(|w| w as i64).collect();
    colour.push(some_thing(rng));
    (vec![rng.range(5, 18), operand(rng), operand(rng)], colour)
}

/// Hour, hours to wait, hours it lasts.
pub(super) fn draw_clock(rng: &mut Rng) -> Drawn {
    (vec![rng.range(1, 12), operand(rng), operand(rng)], vec![rng.below(super::week::EVENTS.len()) as i64])
}

fn some_name(rng: &mut Rng) -> i64 {
    rng.below(NAMES.len()) as i64
}

fn some_thing(rng: &mut Rng) -> i64 {
    rng.below(THINGS.len()) as i64
}

fn operations(core: &[i64]) -> impl Iterator<Item = (Op, i64)> + '_ {
    core[1..].chunks_exact(2).map(|pair| (Op::of(pair[0]), pair[1]))
}

/// What a chain says for each operation.
fn order_sentence(op: Op, operand: i64, lang: Lang) -> String {
    match (op, operand, lang) {
        (Op::Add, n, Lang::En) => format!("Add {n}."),
        (Op::Add, n, Lang::Zh) => format!("加{n}。"),
        (Op::Subtract, n, Lang::En) => format!("Subtract {n}."),
        (Op::Subtract, n, Lang::Zh) => format!("减{n}。"),
        (Op::Times, _, Lang::En) => "Double it.".into(),
        (Op::Times, _, Lang::Zh) => "翻倍。".into(),
    }
}

/// The question of an arithmetic family.
pub(super) fn question(problem: &Problem, lang: Lang) -> String {
    let (core, colour) = (&problem.core, &problem.colour);
    let name = |at: usize| NAMES[colour[at] as usize].text(lang);
    let thing = |at: usize| THINGS[colour[at] as usize].text(lang);
    match problem.family {
        Family::Chain => {
            let mut parts = vec![lang.say(format!("Start with {}.", core[0]), format!("从{}开始。", core[0]))];
            parts.extend(operations(core).map(|(op, n)| order_sentence(op, n, lang)));
            parts.push(lang.say("What is the result?", "结果是多少？").to_owned());
            parts.join(lang.say(" ", ""))
        }
        Family::Long => {
            let parts: Vec<String> = operations(core)
                .map(|(op, n)| match (op, lang) {
                    (Op::Add, Lang::En) => format!("plus {n}"),
                    (Op::Add, Lang::Zh) => format!("加上{n}"),
                    (_, Lang::En) => format!("minus {n}"),
                    (_, Lang::Zh) => format!("去掉{n}"),
                })
                .collect();
            match lang {
                Lang::En => format!("What do you get from {} {}?", core[0], parts.join(" ")),
                Lang::Zh => format!("{}{}得多少？", core[0], parts.join("")),
            }
        }
        Family::Story => {
            let (who, what) = (name(0), thing(1));
            let (had, got, gave, again) = (core[0], core[1], core[2], core[3]);
            match lang {
                Lang::En => {
                    let end = if again > 0 { format!(" and finds {again} more") } else { String::new() };
                    format!("{who} has {had} {what}, buys {got} more, gives away {gave}{end}. How many {what} now?")
                }
                Lang::Zh => {
                    let end = if again > 0 { format!("，又找到{again}个") } else { String::new() };
                    format!("{who}有{had}个{what}，买了{got}个，送出{gave}个{end}。现在有几个{what}？")
                }
            }
        }
        Family::Share => {
            let (who, what) = (name(0), thing(1));
            let (total, people, more, gave) = (core[0], core[1], core[2], core[3]);
            match lang {
                Lang::En => format!(
                    "{people} friends share {total} {what}. {who} is one of them, buys {more} more, gives away {gave}. How many {what} now?"
                ),
                Lang::Zh => {
                    format!(
                        "{people}个朋友平分{total}个{what}。{who}分到后又买了{more}个，送出{gave}个。现在有几个{what}？"
                    )
                }
            }
        }
        Family::Compare => {
            let (one, two, three, what) = (name(0), name(1), name(2), thing(3));
            let (has, more, less) = (core[0], core[1], core[2]);
            match lang {
                Lang::En => format!(
                    "{one} has {has} {what}. {two} has {more} more than {one}. {three} has {less} less than {two}. How many has {three}?"
                ),
                Lang::Zh => {
                    format!("{one}有{has}个{what}。{two}比{one}多{more}个。{three}比{two}少{less}个。{three}有几个？")
                }
            }
        }
        _ => {
            let event = super::week::EVENTS[colour[0] as usize].text(lang);
            let (now, wait, lasts) = (core[0], core[1], core[2]);
            match lang {
                Lang::En => format!(
                    "It is {now} o'clock. The {event} starts in {wait} hours and lasts {lasts} hours. At what hour does it end?"
                ),
                Lang::Zh => format!("现在{now}点。{event}在{wait}小时后开始，长{lasts}小时。几点结束？"),
            }
        }
    }
}

/// The steps of an arithmetic family.
pub(super) fn steps(problem: &Problem, voice: &Voice<'_>, pen: &mut Pen) -> (Vec<String>, Answer) {
    let core = &problem.core;
    let owner = (problem.family == Family::Story).then(|| NAMES[problem.colour[0] as usize].text(voice.asked));
    let mut written = Vec::new();
    let mut sum = |a: i64, sign: char, b: i64, truth: i64, twelve: bool| {
        let result = pen.number(truth);
        let lang = voice.step(written.len());
        let shown = if twelve && result > 12 { (result - 1) % 12 + 1 } else { result };
        let mut what = format!("{a}{sign}{b}={result}");
        if shown != result {
            what.push_str(&lang.say(format!(", so {shown}"), format!("，即{shown}")));
        }
        written.push(match (owner, written.len()) {
            (Some(who), 0) => lang.say(format!("{who} has {what}."), format!("{who}有{what}。")),
            (_, at) => counted_step(lang, at, &what),
        });
        shown
    };
    let value = match problem.family {
        Family::Chain | Family::Long => {
            operations(core).fold(core[0], |value, (op, n)| sum(value, op.sign(), n, op.apply(value, n), false))
        }
        Family::Story => {
            let mut value = sum(core[0], '+', core[1], core[0] + core[1], false);
            value = sum(value, '-', core[2], value - core[2], false);
            if core[3] > 0 { sum(value, '+', core[3], value + core[3], false) } else { value }
        }
        Family::Share => {
            let mut value = sum(core[0], '/', core[1], core[0] / core[1], false);
            value = sum(value, '+', core[2], value + core[2], false);
            sum(value, '-', core[3], value - core[3], false)
        }
        Family::Compare => {
            let second = sum(core[0], '+', core[1], core[0] + core[1], false);
            sum(second, '-', core[2], second - core[2], false)
        }
        _ => {
            let start = sum(core[0], '+', core[1], core[0] + core[1], true);
            sum(start, '+', core[2], start + core[2], true)
        }
    };
    (written, Answer::Number(value))
}
