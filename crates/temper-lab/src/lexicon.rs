//! Words shared by all of the world's text.

/// A language of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lang {
    En,
    Zh,
}

impl Lang {
    /// Both languages.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// The value of a row's `language` field.
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The language of a code; anything but `zh` is English.
    pub fn of_code(code: &str) -> Self {
        if code == "zh" { Lang::Zh } else { Lang::En }
    }

    /// The other language.
    pub fn other(self) -> Self {
        match self {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    /// One of two texts.
    pub fn say<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// A word or phrase in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Both {
    pub en: &'static str,
    pub zh: &'static str,
}

impl Both {
    /// The text in a language.
    pub fn text(&self, lang: Lang) -> &'static str {
        lang.say(self.en, self.zh)
    }
}

/// Shorthand for tables.
pub(crate) const fn both(en: &'static str, zh: &'static str) -> Both {
    Both { en, zh }
}

/// People in problems.
pub(crate) const NAMES: [Both; 6] = [
    both("Anna", "小明"),
    both("Ben", "小红"),
    both("Carl", "小华"),
    both("Dora", "小丽"),
    both("Emma", "小军"),
    both("Finn", "小芳"),
];

/// Things that are counted.
pub(crate) const THINGS: [Both; 4] =
    [both("apples", "苹果"), both("books", "书"), both("coins", "硬币"), both("cards", "卡片")];

/// Things that are on or off.
pub(crate) const DEVICES: [Both; 2] = [both("lamp", "灯"), both("fan", "风扇")];

/// Days of the week, from Monday.
pub(crate) const DAYS: [Both; 7] = [
    both("Monday", "星期一"),
    both("Tuesday", "星期二"),
    both("Wednesday", "星期三"),
    both("Thursday", "星期四"),
    both("Friday", "星期五"),
    both("Saturday", "星期六"),
    both("Sunday", "星期日"),
];
