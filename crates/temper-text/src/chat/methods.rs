//! Python's methods of strings, lists and dictionaries: those of the template engine's compatibility layer, and those that it
//! lacks or has otherwise. Methods that change a value are refused, as the sandbox of `transformers` refuses them.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Calls a method of a value that has none of its own.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => match value.as_str() {
            Some(text) => of_string(text, method, args)?,
            None => None,
        },
        ValueKind::Seq if method == "index" => {
            let (what,): (&Value,) = from_args(args)?;
            let found = value.try_iter()?.position(|item| item == *what);
            Some(found.map(Value::from).ok_or_else(|| invalid(format!("{what} is not in the list")))?)
        }
        ValueKind::Map if method == "copy" => {
            let () = from_args(args)?;
            Some(value.clone())
        }
        _ => None,
    };
    match own {
        Some(result) => Ok(result),
        None => pycompat::unknown_method_callback(state, value, method, args),
    }
}

/// Methods of strings; `None` for those that the compatibility layer has.
fn of_string(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let affix = || from_args::<(&str,)>(args);
    let padded = || {
        let (width, fill): (usize, Option<char>) = from_args(args)?;
        Ok::<_, Error>((width.saturating_sub(text.chars().count()), fill.unwrap_or(' ')))
    };
    let pad = |fill: char, count: usize| fill.to_string().repeat(count);
    Ok(Some(match method {
        "split" | "rsplit" => split(text, method == "rsplit", args)?,
        "removeprefix" => text.strip_prefix(affix()?.0).unwrap_or(text).into(),
        "removesuffix" => text.strip_suffix(affix()?.0).unwrap_or(text).into(),
        "partition" => parts(text.split_once(affix()?.0), [text, "", ""], affix()?.0),
        "rpartition" => parts(text.rsplit_once(affix()?.0), ["", "", text], affix()?.0),
        "splitlines" => {
            let (keep,): (Option<bool>,) = from_args(args)?;
            lines(text, keep.unwrap_or(false))
        }
        "title" => title(text).into(),
        "swapcase" => text.chars().map(swapped).collect::<String>().into(),
        "istitle" => (title(text) == text && text.chars().any(char::is_alphabetic)).into(),
        "isdecimal" | "isdigit" => (!text.is_empty() && text.chars().all(is_decimal)).into(),
        "ljust" => padded().map(|(n, fill)| format!("{text}{}", pad(fill, n)))?.into(),
        "rjust" => padded().map(|(n, fill)| format!("{}{text}", pad(fill, n)))?.into(),
        "center" => {
            let (n, fill) = padded()?;
            let width = n + text.chars().count();
            let left = n / 2 + (n & width & 1);
            format!("{}{text}{}", pad(fill, left), pad(fill, n - left)).into()
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}{digits}", pad('0', width.saturating_sub(text.chars().count()))).into()
        }
        "find" | "rfind" | "index" | "rindex" | "count" | "startswith" | "endswith" if args.len() > 1 => {
            let (what, start, end): (Value, Option<i64>, Option<i64>) = from_args(args)?;
            let (from, part) = part(text, start, end);
            within(part, method, &what, from)?
        }
        "index" | "rindex" => within(text, method, &from_args::<(Value,)>(args)?.0, 0)?,
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let items: Vec<Value> = items.try_iter()?.collect();
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.ok_or_else(|| invalid("join: an item is not a text".into()))?.join(text).into()
        }
        _ => return Ok(None),
    }))
}

fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// `split` and `rsplit`: by a separator, or by runs of white space; at most so many times.
fn split(text: &str, from_right: bool, args: &[Value]) -> Result<Value, Error> {
    let (separator, most, options): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = separator.or(options.get::<Option<Value>>("sep")?).filter(|separator| !separator.is_none());
    let most = most.or(options.get::<Option<i64>>("maxsplit")?).unwrap_or(-1);
    options.assert_all_used()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
    let mut pieces: Vec<&str> = match &separator {
        Some(separator) => {
            let separator = separator.as_str().filter(|separator| !separator.is_empty());
            let separator = separator.ok_or_else(|| invalid("split: the separator is not a text, or empty".into()))?;
            match from_right {
                true => text.rsplitn(most + 1, separator).collect(),
                false => text.splitn(most + 1, separator).collect(),
            }
        }
        None => words(text, from_right, most),
    };
    if from_right {
        pieces.reverse();
    }
    Ok(pieces.into_iter().map(Value::from).collect())
}

/// Words, in the order in which they are met; what is left over after `most` splits is the last.
fn words(text: &str, from_right: bool, most: usize) -> Vec<&str> {
    let trim = |text| if from_right { str::trim_end(text) } else { str::trim_start(text) };
    let (mut out, mut rest) = (Vec::new(), trim(text));
    while !rest.is_empty() {
        let space = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        let Some(at) = space.filter(|_| out.len() < most) else {
            out.push(rest);
            break;
        };
        let width = rest[at..].chars().next().map_or(0, char::len_utf8);
        let (left, right) = (&rest[..at], &rest[at + width..]);
        let (word, remaining) = if from_right { (right, left) } else { (left, right) };
        out.push(word);
        rest = trim(remaining);
    }
    out
}

fn parts(found: Option<(&str, &str)>, whole: [&str; 3], separator: &str) -> Value {
    let parts = found.map_or(whole, |(before, after)| [before, separator, after]);
    Value::from(Tuple::from(parts.map(Value::from).to_vec()))
}

fn lines(text: &str, keep: bool) -> Value {
    let (mut out, mut rest) = (Vec::new(), text);
    let ends = |c: char| "\n\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}".contains(c);
    while let Some(at) = rest.find(ends) {
        let end = if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(1, char::len_utf8) };
        out.push(Value::from(&rest[..if keep { at + end } else { at }]));
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        out.push(Value::from(rest));
    }
    Value::from(out)
}

/// `str.title`: an upper-case letter wherever a letter follows what is none.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        inside = c.is_alphabetic();
    }
    out
}

fn swapped(c: char) -> String {
    if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
}

/// Decimal digits; superscripts, fractions and Roman numbers are none.
fn is_decimal(c: char) -> bool {
    c.is_ascii_digit() || (c.is_numeric() && unicode_decimal(c))
}

/// Blocks of ten decimal digits begin here in the scripts of living languages.
fn unicode_decimal(c: char) -> bool {
    const ZEROS: [u32; 22] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
        0x1040, 0x17E0, 0x1810, 0x1946, 0x1A80, 0xA620, 0xFF10,
    ];
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&u32::from(c)))
}

/// The part of a text between two positions in characters, as a slice takes it, and where it begins.
fn part(text: &str, start: Option<i64>, end: Option<i64>) -> (usize, &str) {
    let length = text.chars().count() as i64;
    let place = |at: i64| if at < 0 { (length + at).max(0) } else { at.min(length) };
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)));
    let byte = |at: i64| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
    (start as usize, if start < end { &text[byte(start)..byte(end)] } else { "" })
}

/// A search in a part of a text that begins at the character `from`.
fn within(part: &str, method: &str, what: &Value, from: usize) -> Result<Value, Error> {
    let what = what.as_str().ok_or_else(|| invalid(format!("{method}: {what} is not a text")))?;
    let found = match method {
        "count" => return Ok(part.matches(what).count().into()),
        "startswith" => return Ok(part.starts_with(what).into()),
        "endswith" => return Ok(part.ends_with(what).into()),
        "find" | "index" => part.find(what),
        _ => part.rfind(what),
    };
    match found {
        Some(at) => Ok((from + part[..at].chars().count()).into()),
        None if method.ends_with("index") => Err(invalid(format!("{what:?} is not in the text"))),
        None => Ok((-1).into()),
    }
}
