//! Reasoning problems: families, instances, written-out thinking.
//!
//! A problem is a family and its parameters. Everything else follows: the question in both languages, the steps of a careful
//! author, the answer, and whether the instance belongs to training or to evaluation.

mod arithmetic;
mod list;
mod order;
mod switch;
mod week;

use crate::lexicon::{DAYS, Lang, NAMES};
use crate::rng::{Rng, hash_str, mix};

/// What a problem asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Number(i64),
    /// Index into [`NAMES`].
    Person(usize),
    /// Index into [`DAYS`].
    Day(usize),
    /// On or off.
    Power(bool),
}

impl Answer {
    /// The answer as written in a language.
    pub fn text(self, lang: Lang) -> String {
        match self {
            Answer::Number(n) => n.to_string(),
            Answer::Person(p) => NAMES[p].text(lang).to_owned(),
            Answer::Day(d) => DAYS[d].text(lang).to_owned(),
            Answer::Power(true) => lang.say("on", "开").to_owned(),
            Answer::Power(false) => lang.say("off", "关").to_owned(),
        }
    }
}

/// A family of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Operations on one number, one sentence each.
    Chain,
    /// Things that are had, got and given away.
    Story,
    /// Who is the tallest or the shortest.
    Order,
    /// How many numbers of a list pass a test.
    Count,
    /// A device that is pressed or left alone.
    Switch,
    /// A day of the week that moves.
    Week,
    /// Unfamiliar: a longer chain in one sentence.
    Long,
    /// Unfamiliar: equal shares, then more and less.
    Share,
    /// Unfamiliar: one has more than another, a third less.
    Compare,
    /// Unfamiliar: who is the oldest or the youngest, told both ways round.
    Age,
    /// Unfamiliar: hours on a clock of twelve.
    Clock,
}

impl Family {
    /// The families that post-training data is made of.
    pub const FAMILIAR: [Family; 6] =
        [Family::Chain, Family::Story, Family::Order, Family::Count, Family::Switch, Family::Week];
    /// The families that only the corpus and the evaluation hold.
    pub const UNFAMILIAR: [Family; 5] = [Family::Long, Family::Share, Family::Compare, Family::Age, Family::Clock];

    /// The value of a row's `family` field.
    pub fn name(self) -> &'static str {
        match self {
            Family::Chain => "chain",
            Family::Story => "story",
            Family::Order => "order",
            Family::Count => "count",
            Family::Switch => "switch",
            Family::Week => "week",
            Family::Long => "long",
            Family::Share => "share",
            Family::Compare => "compare",
            Family::Age => "age",
            Family::Clock => "clock",
        }
    }
}

/// Which instances are drawn: about nine tenths are for training, the rest for evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Eval,
}

impl Split {
    /// The value of a row's `split` field.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Eval => "eval",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub family: Family,
    /// What makes the instance: numbers, and people where the answer is one of them.
    pub core: Vec<i64>,
    /// What only colours it: names, things, events.
    pub colour: Vec<i64>,
}

impl Problem {
    /// A problem of the family in the split.
    pub fn draw(family: Family, split: Split, rng: &mut Rng) -> Self {
        loop {
            let (core, colour) = match family {
                Family::Chain => arithmetic::draw_chain(rng),
                Family::Story => arithmetic::draw_story(rng),
                Family::Long => arithmetic::draw_long(rng),
                Family::Share => arithmetic::draw_share(rng),
                Family::Compare => arithmetic::draw_compare(rng),
                Family::Clock => arithmetic::draw_clock(rng),
                Family::Order | Family::Age => order::draw(family, rng),
                Family::Count => list::draw(rng),
                Family::Switch => switch::draw(rng),
                Family::Week => week::draw(rng),
            };
            let problem = Self { family, core, colour };
            if problem.split() == split {
                return problem;
            }
        }
    }

    /// Where the instance belongs. A function of the family and the core alone: the same in both languages, for every seed.
    pub fn split(&self) -> Split {
        let hash = self.core.iter().fold(hash_str(self.family.name()), |h, x| mix(h ^ *x as u64));
        if hash.is_multiple_of(10) { Split::Eval } else { Split::Train }
    }

    /// The question.
    pub fn question(&self, lang: Lang) -> String {
        match self.family {
            Family::Order | Family::Age => order::question(self, lang),
            Family::Count => list::question(self, lang),
            Family::Switch => switch::question(self, lang),
            Family::Week => week::question(self, lang),
            _ => arithmetic::question(self, lang),
        }
    }

    /// The steps of an author who thinks in `thought` about the question asked in `asked`, and what they arrive at. Each
    /// written result is wrong with the pen's probability, and what follows builds on it.
    pub fn steps(&self, asked: Lang, thought: &[Lang], pen: &mut Pen) -> (Vec<String>, Answer) {
        let voice = Voice { asked, thought };
        match self.family {
            Family::Order | Family::Age => order::steps(self, &voice, pen),
            Family::Count => list::steps(self, &voice, pen),
            Family::Switch => switch::steps(self, &voice, pen),
            Family::Week => week::steps(self, &voice, pen),
            _ => arithmetic::steps(self, &voice, pen),
        }
    }

    /// The true answer.
    pub fn answer(&self) -> Answer {
        self.steps(Lang::En, &[Lang::En], &mut Pen::careful()).1
    }

    /// Steps a careful author writes.
    pub fn difficulty(&self) -> usize {
        self.steps(Lang::En, &[Lang::En], &mut Pen::careful()).0.len()
    }

    /// An answer that looks right and is not.
    pub fn wrong(&self, rng: &mut Rng) -> Answer {
        let truth = self.answer();
        match truth {
            Answer::Number(n) => Answer::Number(near(n, rng)),
            Answer::Day(d) => Answer::Day((d + 1 + rng.below(6)) % 7),
            Answer::Power(on) => Answer::Power(!on),
            Answer::Person(p) => loop {
                let other = *rng.pick(&order::people(self));
                if other != p {
                    return Answer::Person(other);
                }
            },
        }
    }
}

/// A number near another, not negative and not the same.
fn near(n: i64, rng: &mut Rng) -> i64 {
    loop {
        let other = n + rng.pick(&[-10, -3, -2, -1, 1, 2, 3, 10]);
        if other >= 0 {
            return other;
        }
    }
}

/// The languages of a text that thinks about a question.
pub(crate) struct Voice<'a> {
    /// The language of the question: people's names stay in it.
    pub asked: Lang,
    /// The language of each step; the last one goes on.
    pub thought: &'a [Lang],
}

impl Voice<'_> {
    /// The language of step `at`.
    pub fn step(&self, at: usize) -> Lang {
        self.thought.get(at).or(self.thought.last()).copied().unwrap_or(self.asked)
    }
}

/// An author's hand: writes results, some of them wrong.
pub(crate) struct Pen {
    rng: Rng,
    error: f64,
}

impl Pen {
    /// A hand that never slips.
    pub fn careful() -> Self {
        Self { rng: Rng::new(0, "pen", 0), error: 0.0 }
    }

    /// A hand that slips with probability `error` at each result.
    pub fn slipping(rng: Rng, error: f64) -> Self {
        Self { rng, error }
    }

    fn slips(&mut self) -> bool {
        self.error > 0.0 && self.rng.chance(self.error)
    }

    /// A number as written.
    pub fn number(&mut self, truth: i64) -> i64 {
        if self.slips() { near(truth, &mut self.rng) } else { truth }
    }

    /// A yes or no as written.
    pub fn flag(&mut self, truth: bool) -> bool {
        truth ^ self.slips()
    }

    /// A day as written.
    pub fn day(&mut self, truth: usize) -> usize {
        if self.slips() { (truth + 1 + self.rng.below(6)) % 7 } else { truth }
    }

    /// One of several people as written.
    pub fn person(&mut self, truth: usize, all: &[usize]) -> usize {
        if self.slips() { *self.rng.pick(all) } else { truth }
    }
}

/// `First …` or `Then …` and what follows, as one sentence.
fn counted_step(lang: Lang, at: usize, what: &str) -> String {
    match (lang, at) {
        (Lang::En, 0) => format!("First {what}."),
        (Lang::En, _) => format!("Then {what}."),
        (Lang::Zh, 0) => format!("先算{what}。"),
        (Lang::Zh, _) => format!("再算{what}。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_families() -> impl Iterator<Item = Family> {
        Family::FAMILIAR.into_iter().chain(Family::UNFAMILIAR)
    }

    #[test]
    fn known_instances_have_known_answers() {
        let check = |family, core: &[i64], colour: &[i64], question: &str, steps: &str, answer: &str| {
            let problem = Problem { family, core: core.to_vec(), colour: colour.to_vec() };
            assert_eq!(problem.question(Lang::En), question);
            let (written, value) = problem.steps(Lang::En, &[Lang::En], &mut Pen::careful());
            assert_eq!(written.join(" "), steps);
            assert_eq!(value.text(Lang::En), answer);
        };
        check(
            Family::Chain,
            &[7, 0, 5, 2, 2, 1, 3],
            &[],
            "Start with 7. Add 5. Double it. Subtract 3. What is the result?",
            "First 7+5=12. Then 12*2=24. Then 24-3=21.",
            "21",
        );
        check(
            Family::Story,
            &[8, 5, 3, 0],
            &[0, 0],
            "Anna has 8 apples, buys 5 more, gives away 3. How many apples now?",
            "Anna has 8+5=13. Then 13-3=10.",
            "10",
        );
        check(
            Family::Order,
            &[1, 2, 0, 1, 0, 0, 0, 1],
            &[],
            "Carl is taller than Anna. Ben is taller than Carl. Who is the tallest?",
            "Carl is taller than Anna, Carl. Ben is taller than Carl, Ben.",
            "Ben",
        );
        check(
            Family::Age,
            &[1, 2, 0, 1, 0, 0, 1, 0],
            &[],
            "Anna is younger than Carl. Ben is older than Carl. Who is the youngest?",
            "Carl is older than Anna, Anna. Ben is older than Carl, Anna.",
            "Anna",
        );
        check(
            Family::Count,
            &[1, 4, 3, 8, 5, 9],
            &[],
            "How many of 3, 8, 5, 9 are greater than 4?",
            "3>4 no,0. 8>4 yes,1. 5>4 yes,2. 9>4 yes,3.",
            "3",
        );
        check(
            Family::Week,
            &[0, 5, 2],
            &[0],
            "Today is Monday. The party is in 5 days, but moves 2 days later. What day is the party?",
            "First Monday+5=Saturday. Then Saturday+2=Monday.",
            "Monday",
        );
        check(
            Family::Clock,
            &[9, 5, 2],
            &[0],
            "It is 9 o'clock. The party starts in 5 hours and lasts 2 hours. At what hour does it end?",
            "First 9+5=14, so 2. Then 2+2=4.",
            "4",
        );
    }

    #[test]
    fn instances_stay_small_and_split_one_way() {
        for family in all_families() {
            let mut rng = Rng::new(5, family.name(), 0);
            let mut eval = 0;
            for _ in 0..400 {
                let problem = Problem::draw(family, Split::Train, &mut rng);
                assert_eq!(problem.split(), Split::Train);
                if let Answer::Number(n) = problem.answer() {
                    assert!((0..=99).contains(&n), "{problem:?}");
                }
                assert!((2..=6).contains(&problem.difficulty()), "{problem:?}");
                assert_ne!(problem.wrong(&mut rng), problem.answer());
                if matches!(family, Family::Order | Family::Age) {
                    let n = problem.core.len().div_ceil(3);
                    let end = if problem.core[problem.core.len() - 1] == 1 { 0 } else { n - 1 };
                    assert_eq!(problem.answer(), Answer::Person(problem.core[end] as usize), "{problem:?}");
                }
                let recoloured = Problem { colour: problem.colour.iter().map(|_| 1).collect(), ..problem.clone() };
                assert_eq!(recoloured.split(), Split::Train);
                eval += usize::from(Problem::draw(family, Split::Eval, &mut rng).split() == Split::Eval);
            }
            assert_eq!(eval, 400);
        }
    }

    #[test]
    fn a_slipping_pen_is_wrong_about_as_often_as_asked() {
        let mut rng = Rng::new(1, "slips", 0);
        let mut wrong = 0;
        for at in 0..2000 {
            let problem = Problem::draw(Family::Chain, Split::Train, &mut rng);
            let mut pen = Pen::slipping(Rng::new(1, "pen", at), 0.1);
            wrong += usize::from(problem.steps(Lang::En, &[Lang::En], &mut pen).1 != problem.answer());
        }
        assert!((300..560).contains(&wrong), "{wrong}");
    }
}
