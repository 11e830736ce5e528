//! Word problems with other numbers: those of the question are changed, the `<<a*b=c>>` annotations of the reference solution are
//! computed anew with exact arithmetic, and the answer with them.
//!
//! It is easy to spoil a problem so. A number is changed only where it is plain what it is: a whole number that stands in the
//! question once, that the solution uses, and that could not as well be a constant (7 days, 60 minutes, 2 halves) or a result. The
//! new results must be whole where the old ones were, and not negative. Whatever fails any of this is left as it is, with the
//! reason.

use super::arithmetic::{Exact, Number, evaluate, numbers};
use super::draw::Draw;
use super::{Changed, Skipped};
use crate::Row;
use serde_json::Value;
use std::collections::BTreeMap;
use temper_text::Completion;

/// How many numbers a variant changes, and which way.
#[derive(Clone, Copy)]
enum Variant {
    OneUp,
    OneDown,
    Two,
    All,
}

const VARIANTS: [Variant; 4] = [Variant::OneUp, Variant::OneDown, Variant::Two, Variant::All];
/// Variants.
pub(super) const COUNT: usize = VARIANTS.len();
/// Variants that training may use.
pub(super) const SEEN: usize = 2;

/// Smaller numbers are too often constants: halves, thirds, pairs, legs.
const SMALLEST: i128 = 6;
/// Draws before a problem is given up.
const TRIES: usize = 60;
/// The largest number that is written.
const LARGEST: i128 = 1_000_000_000;

/// Whole numbers that solutions use without being told them, so that one in the question may be another thing.
const CONSTANTS: [i128; 18] = [7, 10, 12, 16, 24, 25, 30, 31, 36, 50, 52, 60, 100, 180, 360, 365, 366, 1000];
/// Numbers that may come up in a solution without standing in the question.
const FAMILIAR: [i128; 16] = [1, 2, 3, 4, 5, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000, 3600];

/// Words that name a number.
const NAMED: [(&str, i128); 52] = [
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("thousand", 1000),
    ("half", 2),
    ("halves", 2),
    ("twice", 2),
    ("double", 2),
    ("doubled", 2),
    ("pair", 2),
    ("pairs", 2),
    ("couple", 2),
    ("both", 2),
    ("third", 3),
    ("thirds", 3),
    ("triple", 3),
    ("tripled", 3),
    ("thrice", 3),
    ("quarter", 4),
    ("quarters", 4),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("eighth", 8),
    ("tenth", 10),
    ("dozen", 12),
    ("dozens", 12),
];

/// Words of thresholds, roundings and rules for some cases only: with other numbers another case may hold.
const CONDITIONS: [&str; 40] = [
    "over",
    "above",
    "below",
    "under",
    "exceed",
    "exceeds",
    "exceeded",
    "exceeding",
    "least",
    "most",
    "nearest",
    "round",
    "rounded",
    "rounds",
    "rounding",
    "maximum",
    "minimum",
    "limit",
    "limits",
    "limited",
    "first",
    "additional",
    "extra",
    "beyond",
    "otherwise",
    "unless",
    "until",
    "enough",
    "afford",
    "free",
    "overtime",
    "bonus",
    "leftover",
    "older",
    "younger",
    "whichever",
    "cheaper",
    "cheapest",
    "highest",
    "lowest",
];

/// An annotation of the reference solution.
struct Step {
    expression: String,
    result: Exact,
}

/// The problem of a row with other numbers.
pub(super) fn change(row: &Row, variant: usize, mut draw: Draw) -> Result<Changed, Skipped> {
    let Some(Value::String(solution)) = row.fields.get("answer") else {
        return Err("it has no reference solution as the text of its field `answer`".to_owned());
    };
    let question = row.prompt.request();
    let steps = steps(solution)?;
    let said = answer(solution).ok_or("its reference solution has no whole number after `####`")?;
    if steps.last().map(|step| step.result) != Some(said) {
        return Err("the last annotation of its reference solution is not the answer".to_owned());
    }
    if has_condition(question) {
        return Err("its question has a rule or a threshold that other numbers might meet otherwise".to_owned());
    }
    let asked = numbers(question);
    known(&steps, question, &asked)?;
    let mut free = candidates(question, &asked, &steps);
    if free.is_empty() {
        return Err("it has no number that can be told to be used and no constant".to_owned());
    }
    draw.shuffle(&mut free);
    let (count, up) = match VARIANTS[variant] {
        Variant::OneUp => (1, Some(true)),
        Variant::OneDown => (1, Some(false)),
        Variant::Two => (2, None),
        Variant::All => (free.len(), None),
    };
    if count > free.len() {
        return Err("it has one number only that can be changed".to_owned());
    }
    for attempt in 0..TRIES {
        // Where the first numbers do not give, others may.
        let from = if count == free.len() { 0 } else { attempt % free.len() };
        let chosen: Vec<&Number> = free.iter().cycle().skip(from).take(count).collect();
        let mut values = BTreeMap::new();
        for number in chosen {
            let old = number.value.as_whole().unwrap_or(0);
            let (least, most) = match up {
                Some(true) => (old + 1, 2 * old),
                Some(false) => (SMALLEST.max(old / 2).min(old - 1), old - 1),
                None => (SMALLEST.max(old / 2), 2 * old),
            };
            // Round numbers stay round.
            let unit = roundness(old);
            let (least, most) = ((least + unit - 1) / unit, most / unit);
            if least <= most {
                values.insert(number.value, Exact::whole(unit * draw.between(least, most)));
            }
        }
        if values.iter().all(|(old, new)| old == new) {
            continue;
        }
        if let Some(changed) = rewrite(row, question, solution, &steps, &values) {
            return changed;
        }
    }
    Err("no other numbers give whole and positive results".to_owned())
}

/// Whether the question sets a threshold: one of the words, or `than` or `up to` before a number.
fn has_condition(question: &str) -> bool {
    let lower = question.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '?' | '!' | ';' | '(' | ')')).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let number = |word: &str| {
        let plain = word.trim_start_matches('$');
        plain.starts_with(|c: char| c.is_ascii_digit()) || NAMED.iter().any(|(name, _)| *name == plain)
    };
    words.iter().any(|word| CONDITIONS.contains(word))
        || words.windows(2).any(|pair| pair[0] == "than" && number(pair[1]))
        || words.windows(3).any(|three| three[..2] == ["up", "to"] && number(three[2]))
}

/// The unit in which a number looks as round as it does: 80,000 becomes another multiple of 10,000, 20 one of 5, 17 any number.
fn roundness(value: i128) -> i128 {
    let mut unit = 1;
    while value % (unit * 10) == 0 {
        unit *= 10;
    }
    match value / unit {
        6.. => unit,
        _ if unit >= 10 => unit / 2,
        _ => 1,
    }
}

/// Every annotation, each of which must be right.
fn steps(solution: &str) -> Result<Vec<Step>, Skipped> {
    let mut steps = Vec::new();
    let mut rest = solution;
    while let Some(at) = rest.find("<<") {
        let inner = &rest[at + 2..];
        let end = inner.find(">>").ok_or("an annotation of its reference solution is not closed")?;
        let (expression, result) =
            inner[..end].rsplit_once('=').ok_or("an annotation of its reference solution has no result")?;
        let result = evaluate(result).ok_or("an annotation of its reference solution cannot be read")?;
        if evaluate(expression) != Some(result) {
            return Err("an annotation of its reference solution is rounded, wrong or cannot be read".to_owned());
        }
        steps.push(Step { expression: expression.to_owned(), result });
        rest = &inner[end + 2..];
    }
    if steps.is_empty() { Err("its reference solution has no `<<…=…>>` annotation".to_owned()) } else { Ok(steps) }
}

/// The number after the last `####`.
fn answer(solution: &str) -> Option<Exact> {
    let value = Exact::parse(solution.rsplit_once("####")?.1.trim())?;
    value.as_whole().map(Exact::whole)
}

/// Numbers that words of the text name.
fn named(text: &str) -> Vec<Exact> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words.filter_map(|word| NAMED.iter().find(|(name, _)| *name == word)).map(|(_, n)| Exact::whole(*n)).collect()
}

/// Whether every number of the solution is the question's, an earlier result, a share of a percentage of the question, or a
/// familiar constant. A number from nowhere may be an unwritten step, whose result would have to change too.
fn known(steps: &[Step], question: &str, asked: &[Number]) -> Result<(), Skipped> {
    let named = named(question);
    let hundredth = |value: Exact| value.over(Exact::whole(100));
    let mut known: Vec<Exact> = asked.iter().map(|number| number.value).chain(named).collect();
    let shares = asked.iter().flat_map(|number| {
        let share = hundredth(number.value);
        let one = Exact::whole(1);
        let rest = Exact::whole(100).minus(number.value);
        [share, share.and_then(|s| one.plus(s)), share.and_then(|s| one.minus(s)), rest]
    });
    let shares: Vec<Exact> = shares.flatten().collect();
    known.extend(shares);
    known.extend(FAMILIAR.map(Exact::whole));
    known.extend([Exact::parse("0.5"), Exact::parse("0.25"), Exact::parse("0.01")].into_iter().flatten());
    for step in steps {
        if numbers(&step.expression).iter().any(|number| !known.contains(&number.value)) {
            return Err("a number of its reference solution is neither in the question nor computed before".to_owned());
        }
        known.push(step.result);
    }
    Ok(())
}

/// The numbers of the question that can be changed.
fn candidates(question: &str, asked: &[Number], steps: &[Step]) -> Vec<Number> {
    let named = named(question);
    let once = |value: Exact| asked.iter().filter(|number| number.value == value).count() == 1;
    let used = |value: Exact| steps.iter().any(|s| numbers(&s.expression).iter().any(|number| number.value == value));
    // A number that two others make up would no longer fit them.
    let related = |value: Exact| {
        let others: Vec<Exact> =
            asked.iter().map(|number| number.value).chain(named.iter().copied()).filter(|v| *v != value).collect();
        others.iter().enumerate().any(|(i, a)| {
            others[i + 1..].iter().any(|b| {
                let parts = [(value, *a, *b), (*a, value, *b), (*b, value, *a)];
                parts.iter().any(|(whole, x, y)| x.plus(*y) == Some(*whole) || x.times(*y) == Some(*whole))
            })
        })
    };
    let free = |number: &&Number| {
        let value = number.value;
        value.as_whole().is_some_and(|n| n >= SMALLEST && !CONSTANTS.contains(&n) && !(1900..2101).contains(&n))
            && stands_alone(question, number)
            && once(value)
            && !named.contains(&value)
            && used(value)
            && steps.iter().all(|step| step.result != value)
            && !related(value)
    };
    asked.iter().filter(free).cloned().collect()
}

/// Whether a number of the question is a plain count or price: no part of a fraction, percentage, ordinal, time, date or name.
fn stands_alone(question: &str, number: &Number) -> bool {
    let before = question[..number.at.start].chars().next_back();
    let after = &question[number.at.end..];
    let next = after.chars().next();
    let fits_before = before.is_none_or(|c| c.is_whitespace() || matches!(c, '$' | '(' | '"' | '“'));
    let fits_after =
        next.is_none_or(|c| c.is_whitespace() || matches!(c, '.' | ',' | '?' | '!' | ';' | ')' | '"' | '”'));
    let word: String =
        after.trim_start().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '%' | '.' | '\'' | '/')).collect();
    let word = word.to_lowercase();
    let spoilt = ["%", "percent", "percentage", "am", "pm", "a.m.", "p.m.", "o'clock", "degrees", "degree"];
    let fraction = word.contains('/') && word.starts_with(|c: char| c.is_ascii_digit());
    fits_before && fits_after && !spoilt.iter().any(|s| word == *s || word.trim_end_matches('.') == *s) && !fraction
}

/// Whether a value is one that solutions use without being told, or that a word of the question names.
fn might_be_constant(value: Exact, named: &[Exact]) -> bool {
    named.contains(&value) || value.as_whole().is_some_and(|n| FAMILIAR.contains(&n) || CONSTANTS.contains(&n))
}

/// The row's problem with `values` in place of old numbers; `None` where the results do not do, an error where the row cannot be
/// rewritten at all.
fn rewrite(
    row: &Row,
    question: &str,
    solution: &str,
    steps: &[Step],
    values: &BTreeMap<Exact, Exact>,
) -> Option<Result<Changed, Skipped>> {
    let mut map = values.clone();
    let named = named(question);
    for (at, step) in steps.iter().enumerate() {
        let result = evaluate(&replaced(&step.expression, &map)?)?;
        let fits = match step.result.as_whole() {
            Some(_) => result.as_whole().is_some(),
            None => result.write().is_some(),
        };
        let sign = if step.result.is_zero() { result.is_zero() } else { result.is_positive() };
        if !fits || !sign || result > Exact::whole(LARGEST) {
            return None;
        }
        // A result such as 2 that is used again may there be the 2 of a half.
        let again =
            || steps[at + 1..].iter().any(|later| numbers(&later.expression).iter().any(|n| n.value == step.result));
        if result != step.result && might_be_constant(step.result, &named) && again() {
            return None;
        }
        match map.get(&step.result) {
            Some(other) if *other != result => return None,
            _ => map.insert(step.result, result),
        };
    }
    // A value that stayed what it was must not be one that something else took over.
    let mut check = values.clone();
    for step in steps {
        let result = evaluate(&replaced(&step.expression, &check)?)?;
        if map.get(&step.result) != Some(&result) || evaluate(&replaced(&step.expression, &map)?) != Some(result) {
            return None;
        }
        check.insert(step.result, result);
    }
    let before = numbers(solution).len();
    let written = replaced(solution, &map)?;
    // Numbers that stand in the question as they are must not be taken for a changed result.
    let kept = numbers(question)
        .iter()
        .all(|n| values.contains_key(&n.value) || map.get(&n.value).is_none_or(|v| *v == n.value));
    if !kept || numbers(&written).len() != before {
        return None;
    }
    let old = Value::from(solution);
    let mut fields: Vec<(String, Value)> = Vec::new();
    for (name, value) in &row.fields {
        if *value == old {
            fields.push((name.clone(), Value::from(written.as_str())));
        } else if let Value::String(text) = value
            && text.len() > 20
            && question.contains(text.as_str())
        {
            fields.push((name.clone(), Value::from(replaced(text, values)?)));
        }
    }
    let completion = match &row.completion {
        None => None,
        Some(completion) if completion.text() == solution => Some(Completion::Text(written)),
        Some(_) => {
            return Some(Err("its completion is not its reference solution and would have to be rewritten".to_owned()));
        }
    };
    Some(Ok(Changed { fields, completion, ..Changed::request(replaced(question, values)?) }))
}

/// Commas between thousands.
fn grouped(number: &str) -> String {
    let (whole, part) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + part
}

/// The text with numbers replaced; `None` where a new one cannot be written.
fn replaced(text: &str, map: &BTreeMap<Exact, Exact>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for number in numbers(text) {
        out.push_str(&text[at..number.at.start]);
        match map.get(&number.value) {
            Some(new) if *new != number.value => {
                let written = new.write()?;
                let commas = text[number.at.clone()].contains(',');
                out.push_str(&if commas { grouped(&written) } else { written });
            }
            _ => out.push_str(&text[number.at.clone()]),
        }
        at = number.at.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use temper_text::Prompt;

    fn row(question: &str, answer: &str) -> Row {
        let fields = json!({"question": question, "answer": answer});
        Row {
            id: "1".into(),
            prompt: Prompt::Text(format!("{question}\n\nThink.")),
            fields: fields.as_object().unwrap().clone(),
            ..Row::default()
        }
    }

    fn changed(row: &Row, variant: usize, seed: u64) -> Result<Changed, Skipped> {
        change(row, variant, Draw::new(seed, &["t"], 0))
    }

    const HENS: &str = "A farmer has 13 hens. Each lays 8 eggs a week. He eats 17 eggs. How many eggs are left?";
    const LEFT: &str = "The hens lay 13*8=<<13*8=104>>104 eggs.\n104-17=<<104-17=87>>87 are left.\n#### 87";

    #[test]
    fn numbers_change_and_the_answer_with_them() {
        let row = row(HENS, LEFT);
        for seed in 0..40 {
            for variant in 0..COUNT {
                let made = changed(&row, variant, seed).unwrap();
                let asked: Vec<i128> = numbers(&made.request).iter().map(|n| n.value.as_whole().unwrap()).collect();
                let [hens, eggs, eaten] = asked[..] else { panic!("{}", made.request) };
                let answer =
                    made.fields.iter().find(|(name, _)| name == "answer").unwrap().1.as_str().unwrap().to_owned();
                assert!(answer.ends_with(&format!("#### {}", hens * eggs - eaten)), "{answer}");
                assert!(answer.contains(&format!("<<{hens}*{eggs}={}>>", hens * eggs)), "{answer}");
                let moved = [hens != 13, eggs != 8, eaten != 17].iter().filter(|moved| **moved).count();
                match variant {
                    0 => assert!(moved == 1 && hens >= 13 && eggs >= 8 && eaten >= 17),
                    1 => assert!(moved == 1 && hens <= 13 && eggs <= 8 && eaten <= 17),
                    _ => assert!(moved <= 3),
                }
                let question = made.fields.iter().find(|(name, _)| name == "question").unwrap().1.as_str().unwrap();
                assert_eq!(made.request, format!("{question}\n\nThink."));
                assert_eq!(changed(&row, variant, seed).unwrap().request, made.request);
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        let why = |question: &str, answer: &str| changed(&row(question, answer), 0, 1).err().unwrap();
        assert!(why(HENS, "#### 87").contains("no `<<…=…>>` annotation"));
        assert!(why(HENS, "<<13*8=105>>105\n#### 105").contains("rounded, wrong"));
        assert!(why(HENS, "<<13*8=104>>\n#### 87").contains("not the answer"));
        assert!(why(HENS, "<<13*8=104>>\n<<104-17-9=78>>\n#### 78").contains("neither in the question nor computed"));
        let none = "no number that can be told";
        // A number twice, a constant, a small one, a percentage, an ordinal, a time, a year, one named by a word.
        assert!(why("He has 13 and 13 more. How many?", "<<13+13=26>>26\n#### 26").contains(none));
        assert!(why("He runs 60 miles and 7 more. How many?", "<<60+7=67>>67\n#### 67").contains(none));
        assert!(why("He has 3 and 4. How many?", "<<3+4=7>>7\n#### 7").contains(none));
        assert!(why("He has 20% of 100. How many?", "<<20*100/100=20>>20\n#### 20").contains(none));
        assert!(why("On the 13th he had 5. How many?", "<<13+5=18>>18\n#### 18").contains(none));
        assert!(why("From 9 pm on, 5 each. How many?", "<<9*5=45>>45\n#### 45").contains(none));
        assert!(why("In 1990 he had 5. How many?", "<<1990+5=1995>>1995\n#### 1995").contains(none));
        assert!(why("He has 8, and eight more. How many?", "<<8+8=16>>16\n#### 16").contains(none));
        // 33 is 14 and 19 together.
        let apart = why("Of 33, 14 are red and 19 blue. Twice as many?", "<<33*2=66>>66\n#### 66");
        assert!(apart.contains(none), "{apart}");
        // With other numbers another case may hold.
        let rule = "Mike has 21 points, Jim 3 less. Whoever has over 20 gets one more. How many have they?";
        assert!(why(rule, "<<21-3=18>>18\n<<21+18+1=40>>40\n#### 40").contains("a rule or a threshold"));
        assert!(
            why("He has 21 pens. Those with more than 20 give one away.", "<<21-1=20>>20\n#### 20")
                .contains("threshold")
        );
        assert!(why("He lifts up to $30 with 9 men.", "<<30*9=270>>270\n#### 270").contains("threshold"));
        // The 5 that is left is not the 5 of the workdays.
        let mixed = "He has 18 pens and gives 13 away. Each workday he gets as many as are left. How many in a week?";
        assert!(why(mixed, "<<18-13=5>>5\n<<5*5=25>>25\n#### 25").contains("no other numbers give"));
        // A result that is a number of the question, too.
        assert!(why("He has 18. She has 9 less and 9 more.", "<<18-9=9>>9\n<<9+9=18>>18\n#### 18").contains(none));
    }

    #[test]
    fn numbers_look_as_they_did() {
        assert_eq!([80_000, 20, 17, 150, 1_200, 45].map(roundness), [10_000, 5, 1, 10, 100, 1]);
        assert_eq!(["1234567", "999", "1000.5"].map(grouped), ["1,234,567", "999", "1,000.5"]);
        let house = row("It cost $80,000 and $9,000 more. How much in all?", "<<80000+9000=89000>>89,000\n#### 89,000");
        let made = changed(&house, 3, 1).unwrap();
        let asked = numbers(&made.request);
        assert!(asked.iter().all(|n| n.value.as_whole().unwrap() % 1000 == 0), "{}", made.request);
        assert!(made.request.contains(",000 and $"), "{}", made.request);
    }

    #[test]
    fn results_stay_whole_and_positive() {
        // Only even numbers can be halved, and no more can be eaten than there are.
        let halved = row("There are 18 pears. Half are bad. How many are good?", "<<18/2=9>>9\n#### 9");
        let tight = row("There are 18 pears. 17 are eaten. How many are left?", "<<18-17=1>>1\n#### 1");
        for seed in 0..50 {
            let made = changed(&halved, 0, seed).unwrap();
            assert_eq!(numbers(&made.request)[0].value.as_whole().unwrap() % 2, 0);
            let made = changed(&tight, 3, seed).unwrap();
            let n: Vec<i128> = numbers(&made.request).iter().map(|n| n.value.as_whole().unwrap()).collect();
            assert!(n[0] > n[1], "{n:?}");
        }
        let completion = Row { completion: Some(Completion::Text("other".into())), ..row(HENS, LEFT) };
        assert!(changed(&completion, 0, 1).err().unwrap().contains("would have to be rewritten"));
        let learned = Row { completion: Some(Completion::Text(LEFT.into())), ..row(HENS, LEFT) };
        let made = changed(&learned, 0, 1).unwrap();
        assert_eq!(made.completion.unwrap().text(), made.fields[1].1.as_str().unwrap());
    }
}
