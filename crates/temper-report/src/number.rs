//! Numbers as people read them: percentages, intervals, SI amounts, durations.
//!
//! Every function maps a non-finite number to [`MISSING`]. Negative numbers carry the minus sign U+2212, which is as
//! wide as a digit, so columns line up.

/// What stands where there is no number.
pub const MISSING: &str = "—";

/// How a row of a table writes its numbers, chosen once per row so that the cells compare at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A share of 1, written in per cent with one decimal.
    Percent,
    /// A plain number with this many decimals.
    Decimal(usize),
}

impl Style {
    /// Decimals that leave about three significant digits at the magnitude of the largest of `values`.
    pub fn decimal(values: impl IntoIterator<Item = f64>) -> Style {
        let largest = values.into_iter().filter(|v| v.is_finite()).fold(0.0, |a: f64, v| a.max(v.abs()));
        Style::Decimal(match largest {
            v if v < 1.5 => 3,
            v if v < 10.0 => 2,
            v if v < 1000.0 => 1,
            _ => 0,
        })
    }

    /// The number with its unit: `63.5 %`, `0.912`.
    pub fn value(self, value: f64) -> String {
        match self {
            Style::Percent if value.is_finite() => format!("{} %", self.bare(value)),
            _ => self.bare(value),
        }
    }

    /// The number without a unit: `63.5`, `0.912`.
    pub fn bare(self, value: f64) -> String {
        match self {
            Style::Percent => fixed(value * 100.0, 1),
            Style::Decimal(decimals) => fixed(value, decimals),
        }
    }

    /// A difference, always with its sign: `+3.2`, `−0.041`. Per cent differences are percentage points.
    pub fn difference(self, value: f64) -> String {
        let text = self.bare(value);
        let zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
        match zero || text.starts_with('−') || !value.is_finite() {
            true => text,
            false => format!("+{text}"),
        }
    }

    /// `[58.1, 68.6]`, or nothing when a bound is missing.
    pub fn interval(self, interval: Option<(f64, f64)>) -> String {
        match interval {
            Some((low, high)) => format!("[{}, {}]", self.bare(low), self.bare(high)),
            None => String::new(),
        }
    }
}

/// `value` with `decimals` decimals; −0 is 0.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if value < 0.0 && !zero { format!("−{text}") } else { text }
}

/// About three significant digits, for axes and tooltips: `0.0123`, `4.2`, `1,530`, `2.1e−5`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        _ if !value.is_finite() => return MISSING.to_owned(),
        0.0 => return "0".to_owned(),
        s if s < 1e-3 => return format!("{value:.1e}").replace('-', "−"),
        s if s < 0.1 => fixed(value, 4),
        s if s < 10.0 => fixed(value, 2),
        s if s < 100.0 => fixed(value, 1),
        s if s < 1e5 => return grouped(value),
        _ => return si(value, ""),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A whole number in groups of three digits: `12,345`.
pub fn grouped(value: f64) -> String {
    let text = fixed(value, 0);
    let (sign, digits) = match text.strip_prefix('−') {
        Some(digits) => ("−", digits),
        None => ("", text.as_str()),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return text;
    }
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three significant digits with an SI prefix: `300 TFLOP`, `1.24 M`. Under 10,000 without a unit the digits themselves.
pub fn si(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 8] = ["", "k", "M", "G", "T", "P", "E", "Z"];
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    if unit.is_empty() && value.abs() < 10_000.0 {
        return grouped(value);
    }
    let mut scaled = value.abs();
    let mut prefix = 0;
    // 999.5 would round to 1000, which belongs to the next prefix.
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let decimals = match scaled {
        _ if prefix == 0 => 0,
        s if s < 9.995 => 2,
        s if s < 99.95 => 1,
        _ => 0,
    };
    let number = fixed(scaled.copysign(value), decimals);
    format!("{number} {}{unit}", PREFIXES[prefix]).trim_end().to_owned()
}

/// Floating-point operations: `300 TFLOP`.
pub fn flops(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { si(value, "FLOP") }
}

/// A count of tokens: `1.24 M`.
pub fn tokens(value: f64) -> String {
    si(value, "")
}

/// `0.4 s`, `42 s`, `3 min 12 s`, `1 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return MISSING.to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `512 MiB`, `1.92 GiB`.
pub fn bytes(value: u64) -> String {
    const GIB: f64 = (1u64 << 30) as f64;
    const MIB: f64 = (1u64 << 20) as f64;
    match value as f64 {
        0.0 => MISSING.to_owned(),
        b if b >= GIB => format!("{:.2} GiB", b / GIB),
        b => format!("{:.0} MiB", (b / MIB).ceil()),
    }
}

/// `1 item`, `3 items`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n as f64), if n == 1 { "" } else { "s" })
}

/// The first twelve hexadecimal digits of a digest, without a `sha256:` in front.
pub fn short_digest(digest: &str) -> &str {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    hex.char_indices().nth(12).map_or(hex, |(end, _)| &hex[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_interval() {
        assert_eq!(Style::Percent.value(0.635), "63.5 %");
        assert_eq!(Style::Percent.interval(Some((0.581, 0.686))), "[58.1, 68.6]");
        assert_eq!(Style::Percent.interval(None), "");
        assert_eq!(Style::Percent.value(f64::NAN), MISSING);
        assert_eq!(Style::Percent.difference(0.032), "+3.2");
        assert_eq!(Style::Percent.difference(-0.032), "−3.2");
        assert_eq!(Style::Percent.difference(-0.0001), "0.0");
    }

    #[test]
    fn decimals_follow_the_row() {
        assert_eq!(Style::decimal([0.1, -0.93]), Style::Decimal(3));
        assert_eq!(Style::decimal([84.25, 3.0]), Style::Decimal(1));
        assert_eq!(Style::decimal([f64::NAN]), Style::Decimal(3));
        assert_eq!(Style::Decimal(3).value(-0.0412), "−0.041");
    }

    #[test]
    fn amounts() {
        assert_eq!(flops(3.0e14), "300 TFLOP");
        assert_eq!(flops(9.997e14), "1.00 PFLOP");
        assert_eq!(flops(0.0), "0");
        assert_eq!(tokens(1_236_000.0), "1.24 M");
        assert_eq!(tokens(9_482.0), "9,482");
        assert_eq!(tokens(f64::INFINITY), MISSING);
        assert_eq!(bytes(2 * (1 << 30)), "2.00 GiB");
        assert_eq!(bytes(0), MISSING);
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(1200, "item"), "1,200 items");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(0.42), "0.4 s");
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(192.0), "3 min 12 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
        assert_eq!(duration(f64::NAN), MISSING);
    }

    #[test]
    fn shorts() {
        assert_eq!(short(0.0123), "0.0123");
        assert_eq!(short(4.2), "4.2");
        assert_eq!(short(10.0), "10");
        assert_eq!(short(100.0), "100");
        assert_eq!(short(-1530.2), "−1,530");
        assert_eq!(short(2.1e-5), "2.1e−5");
    }

    #[test]
    fn digests_are_shortened_at_character_boundaries() {
        assert_eq!(short_digest("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_digest("abc"), "abc");
        assert_eq!(short_digest("ééééééééééééééé"), "éééééééééééé");
    }
}
