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

/// Start, then pairs of operation and operand.
pub(super) fn draw_chain(rng: &mut Rng) -> Drawn {
    let count = if rng.chance(0.4) { 2 } else { 3 };
    let start = rng.range(2, 30);
    let mut core = vec![start];
    let mut value = start;
    for _ in 0..count {
        let (code, operand) = loop {
            let code = rng.weighted(&[0.4, 0.35, 0.25]) as i64;
            let operand = if code == 2 { rng.range(2, 3) } else { rng.range(1, 9) };
            if (0..=99).contains(&Op::of(code).apply(value, operand)) {
                break (code, operand);
            }
        };
        value = Op::of(code).apply(value, operand);
        core.extend([code, operand]);
    }
    (core, Vec::new())
}

/// Had, got, given away, and sometimes got again.
pub(super) fn draw_story(rng: &mut Rng) -> Drawn {
    let had = rng.range(5, 60);
    let got = rng.range(2, 9);
    let gave = rng.range(1, 9.min(had));
    let again = if rng.chance(0.5) { 0 } else { rng.range(2, 9) };
    (vec![had, got, gave, again], vec![rng.below(NAMES.len()) as i64, rng.below(THINGS.len()) as i64])
}

/// Start, then pairs of operation (no products) and operand.
pub(super) fn draw_long(rng: &mut Rng) -> Drawn {
    let mut value = rng.range(5, 40);
    let mut core = vec![value];
    for _ in 0..rng.range(4, 5) {
        let operand = rng.range(1, 9);
        let code = if value < 10 { 0 } else { rng.range(0, 1) };
        value = Op::of(code).apply(value, operand);
        core.extend([code, operand]);
    }
    (core, Vec::new())
}

/// Total, people, more.
pub(super) fn draw_share(rng: &mut Rng) -> Drawn {
    let (people, each) = (rng.range(2, 5), rng.range(2, 12));
    (vec![people * each, people, rng.range(2, 9)], vec![rng.below(NAMES.len()) as i64, rng.below(THINGS.len()) as i64])
}

/// One's things, how many more the other has.
pub(super) fn draw_compare(rng: &mut Rng) -> Drawn {
    let who = rng.distinct(NAMES.len(), 2);
    (vec![rng.range(3, 40), rng.range(2, 9)], vec![who[0] as i64, who[1] as i64, rng.below(THINGS.len()) as i64])
}

/// Hour, hours to wait, hours it lasts.
pub(super) fn draw_clock(rng: &mut Rng) -> Drawn {
    (vec![rng.range(1, 12), rng.range(2, 9), rng.range(1, 6)], vec![rng.below(super::week::EVENTS.len()) as i64])
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
        (Op::Times, 2, Lang::En) => "Double it.".into(),
        (Op::Times, 2, Lang::Zh) => "翻两倍。".into(),
        (Op::Times, _, Lang::En) => "Triple it.".into(),
        (Op::Times, _, Lang::Zh) => "翻三倍。".into(),
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
            let (total, people, more) = (core[0], core[1], core[2]);
            match lang {
                Lang::En => format!(
                    "{people} friends share {total} {what} equally. {who} is one of them and buys {more} more. How many {what} has {who}?"
                ),
                Lang::Zh => {
                    format!("{people}个朋友平分{total}个{what}。{who}是其中一个，又买了{more}个。{who}有几个{what}？")
                }
            }
        }
        Family::Compare => {
            let (one, two, what) = (name(0), name(1), thing(2));
            let (has, more) = (core[0], core[1]);
            match lang {
                Lang::En => {
                    format!("{one} has {has} {what}. {two} has {more} more than {one}. How many have they together?")
                }
                Lang::Zh => format!("{one}有{has}个{what}。{two}比{one}多{more}个。两人一共有几个？"),
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
    let mut written = Vec::new();
    let mut sum = |a: i64, sign: char, b: i64, truth: i64, twelve: bool| {
        let result = pen.number(truth);
        let lang = voice.step(written.len());
        let shown = if twelve && result > 12 { (result - 1) % 12 + 1 } else { result };
        let mut what = format!("{a}{sign}{b}={result}");
        if shown != result {
            what.push_str(&lang.say(format!(", so {shown}"), format!("，即{shown}")));
        }
        written.push(counted_step(lang, written.len(), &what));
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
            let each = sum(core[0], '/', core[1], core[0] / core[1], false);
            sum(each, '+', core[2], each + core[2], false)
        }
        Family::Compare => {
            let other = sum(core[0], '+', core[1], core[0] + core[1], false);
            sum(core[0], '+', other, core[0] + other, false)
        }
        _ => {
            let start = sum(core[0], '+', core[1], core[0] + core[1], true);
            sum(start, '+', core[2], start + core[2], true)
        }
    };
    (written, Answer::Number(value))
}
