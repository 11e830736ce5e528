//! One spelling for characters that mean the same: digits of other scripts, wide forms, signs, powers, fractions.

/// The first digit of every script whose ten digits stand in a row: Arabic-Indic, Persian, Devanagari, Bengali, Gurmukhi,
/// Gujarati, Tamil, Telugu, Kannada, Malayalam, Thai, Lao, Tibetan, Myanmar, Khmer, Mongolian, full-width.
const ZEROS: [u32; 17] = [
    0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810,
    0xff10,
];

/// The ASCII digit of a decimal digit of any common script.
pub(crate) fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    if c.is_ascii_digit() {
        return Some(c);
    }
    if (0x1d7ce..=0x1d7ff).contains(&code) {
        return char::from_digit((code - 0x1d7ce) % 10, 10);
    }
    ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)).and_then(|zero| char::from_digit(code - zero, 10))
}

/// What a character is in LaTeX, for those that have a spelling there.
fn latex(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2212}' | '\u{2013}' | '\u{2010}' | '\u{2011}' | '\u{fe63}' => "-",
        '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}' | '\u{3000}' | '\u{2002}' | '\u{2003}' => " ",
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}' => "",
        '’' | '‘' | '′' => "'",
        '“' | '”' => "\"",
        '、' => ",",
        '。' => ".",
        '【' => "[",
        '】' => "]",
        '\u{66a}' => "%",
        '\u{66b}' => ".",
        '\u{66c}' => ",",
        '×' | '✕' => "\\times ",
        '·' | '⋅' | '∙' => "\\cdot ",
        '÷' | '∕' | '⁄' => "/",
        '∗' => "*",
        '√' => "\\sqrt ",
        '∛' => "\\sqrt[3] ",
        '∞' => "\\infty ",
        '≤' | '⩽' => "\\le ",
        '≥' | '⩾' => "\\ge ",
        '≠' => "\\ne ",
        '≈' | '≃' | '≅' => "\\approx ",
        '∈' => "\\in ",
        '∪' => "\\cup ",
        '∩' => "\\cap ",
        '∖' => "\\setminus ",
        '∅' | 'Ø' => "\\emptyset ",
        '±' => "\\pm ",
        '°' | 'º' | '˚' => "^\\circ ",
        '⌊' => "\\lfloor ",
        '⌋' => "\\rfloor ",
        '⌈' => "\\lceil ",
        '⌉' => "\\rceil ",
        '⟨' => "\\langle ",
        '⟩' => "\\rangle ",
        'ℝ' => "\\mathbb{R}",
        'ℤ' => "\\mathbb{Z}",
        'ℕ' => "\\mathbb{N}",
        'ℚ' => "\\mathbb{Q}",
        'ℂ' => "\\mathbb{C}",
        '½' => "\\frac{1}{2}",
        '⅓' => "\\frac{1}{3}",
        '⅔' => "\\frac{2}{3}",
        '¼' => "\\frac{1}{4}",
        '¾' => "\\frac{3}{4}",
        '⅕' => "\\frac{1}{5}",
        '⅖' => "\\frac{2}{5}",
        '⅗' => "\\frac{3}{5}",
        '⅘' => "\\frac{4}{5}",
        '⅙' => "\\frac{1}{6}",
        '⅚' => "\\frac{5}{6}",
        '⅐' => "\\frac{1}{7}",
        '⅛' => "\\frac{1}{8}",
        '⅜' => "\\frac{3}{8}",
        '⅝' => "\\frac{5}{8}",
        '⅞' => "\\frac{7}{8}",
        '⅑' => "\\frac{1}{9}",
        '⅒' => "\\frac{1}{10}",
        'α' => "\\alpha ",
        'β' => "\\beta ",
        'γ' => "\\gamma ",
        'δ' => "\\delta ",
        'ε' => "\\epsilon ",
        'θ' => "\\theta ",
        'λ' => "\\lambda ",
        'μ' => "\\mu ",
        'π' => "\\pi ",
        'ρ' => "\\rho ",
        'σ' => "\\sigma ",
        'τ' => "\\tau ",
        'φ' => "\\phi ",
        'ω' => "\\omega ",
        _ => return None,
    })
}

/// The digit or sign that a raised or lowered character stands for, and whether it is raised.
fn raised(c: char) -> Option<(char, bool)> {
    Some(match c {
        '²' => ('2', true),
        '³' => ('3', true),
        '¹' => ('1', true),
        '⁺' => ('+', true),
        '⁻' => ('-', true),
        'ⁿ' => ('n', true),
        '\u{2070}' | '\u{2074}'..='\u{2079}' => (char::from_digit(u32::from(c) - 0x2070, 10)?, true),
        '\u{2080}'..='\u{2089}' => (char::from_digit(u32::from(c) - 0x2080, 10)?, false),
        _ => return None,
    })
}

/// A letter of the mathematical alphabets (𝑥, 𝐱, …) as an ordinary one.
fn letter(c: char) -> Option<char> {
    let code = u32::from(c);
    (0x1d400..0x1d6a4).contains(&code).then(|| {
        let at = (code - 0x1d400) % 52;
        char::from(if at < 26 { b'A' + at as u8 } else { b'a' + (at - 26) as u8 })
    })
}

/// The text in one spelling: ASCII digits, wide characters narrowed, signs and Greek letters as LaTeX commands, raised
/// characters as powers. Runs in one pass.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open: Option<bool> = None;
    for c in text.chars() {
        match (raised(c), open) {
            (Some((inner, up)), before) => {
                if before != Some(up) {
                    if before.is_some() {
                        out.push('}');
                    }
                    out.push_str(if up { "^{" } else { "_{" });
                    open = Some(up);
                }
                out.push(inner);
                continue;
            }
            (None, Some(_)) => {
                out.push('}');
                open = None;
            }
            (None, None) => {}
        }
        if let Some(digit) = digit(c) {
            out.push(digit);
        } else if let Some(spelt) = latex(c) {
            out.push_str(spelt);
        } else if ('\u{ff01}'..='\u{ff5e}').contains(&c) {
            out.push(char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c));
        } else {
            out.push(letter(c).unwrap_or(c));
        }
    }
    if open.is_some() {
        out.push('}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn spellings() {
        for (text, folded) in [
            ("１２３", "123"),
            ("١٢٣٫٥", "123.5"),
            ("१२३", "123"),
            ("𝟒𝟐", "42"),
            ("x²", "x^{2}"),
            ("x⁻¹²y", "x^{-12}y"),
            ("a₁²", "a_{1}^{2}"),
            ("−5", "-5"),
            ("1½", "1\\frac{1}{2}"),
            ("2√3", "2\\sqrt 3"),
            ("𝑥", "x"),
            ("（１，２）", "(1,2)"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }
}
