//! A sentence put before the question.

/// Words that end in a full stop without ending a sentence.
const ABBREVIATIONS: [&str; 12] = ["mr", "mrs", "ms", "dr", "st", "vs", "no", "jr", "sr", "approx", "e.g", "i.e"];

/// The text with `sentence` before its last question, or at its beginning where it has no sentence before that.
pub(super) fn insert(text: &str, sentence: &str) -> String {
    let at = last_question(text).unwrap_or(0);
    let (before, after) = text.split_at(at);
    let gap = if sentence.is_ascii() { " " } else { "" };
    format!("{before}{sentence}{gap}{after}")
}

/// Where the last sentence with a question mark begins.
fn last_question(text: &str) -> Option<usize> {
    let mark = text.rfind(['?', '？'])?;
    let mut start = 0;
    for (at, c) in text[..mark].char_indices() {
        let end = at + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' | '\n' => true,
            '.' | '!' | '?' => text[end..].starts_with(char::is_whitespace) && !(c == '.' && abbreviated(&text[..at])),
            _ => false,
        };
        if ends {
            start = end + (text[end..].len() - text[end..].trim_start().len());
        }
    }
    (start <= mark).then_some(start)
}

fn abbreviated(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default().to_lowercase();
    // Initials, and `p.m`.
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    initial || ABBREVIATIONS.contains(&word.as_str()) || word == "a.m" || word == "p.m"
}

#[cfg(test)]
mod tests {
    use super::insert;

    #[test]
    fn before_the_question() {
        assert_eq!(insert("A has 2. B has 3. How many?", "S."), "A has 2. B has 3. S. How many?");
        assert_eq!(insert("How many has Mr. Smith?\n\nThink.", "S."), "S. How many has Mr. Smith?\n\nThink.");
        assert_eq!(insert("It costs $2.50 a day. What do 3 cost?", "S."), "It costs $2.50 a day. S. What do 3 cost?");
        assert_eq!(insert("Tell me all.", "S."), "S. Tell me all.");
        assert_eq!(insert("甲有2个。一共多少？", "无关。"), "甲有2个。无关。一共多少？");
        assert_eq!(insert("Why? How?", "S."), "Why? S. How?");
    }
}
