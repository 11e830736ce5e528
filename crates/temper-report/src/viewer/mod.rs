//! The viewer of items: one self-contained page to filter, search and compare the items of one log or several.
//!
//! The page holds the logs as JSON, every text once, and a script that draws what is looked at. It fetches nothing, and nothing
//! a model wrote becomes part of its structure: the JSON has no `<`, the script writes texts as texts, and the page's policy
//! allows that one script by its digest.

mod data;
mod pages;

use sha2::{Digest, Sha256};
use temper_eval::Log;

use crate::markup::{Markup, el};

pub use pages::{ViewerFile, viewer_path, write_viewers};

const STYLE: &str = concat!(include_str!("../tokens.css"), include_str!("viewer.css"));
const SCRIPT: &str = include_str!("viewer.js");

/// Size from which on browsers take their time with a page, in bytes.
pub const LARGE_PAGE: usize = 64 << 20;

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerPage {
    /// The page.
    pub html: String,
    /// Items in it; one of several logs counts once.
    pub items: usize,
    /// What was cut or is unusual.
    pub notes: Vec<String>,
}

/// The page of these logs, each with the name that it is shown under. Items are joined by suite, identity and repeat.
pub fn render_viewer(title: &str, logs: &[(String, &Log)]) -> ViewerPage {
    let data = data::Data::of(title, logs);
    let mut notes = data.notes.clone();
    let items = data.items.len();
    // A `<` can only stand inside a text, where JSON lets it be written otherwise.
    let json = serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c");
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(&Sha256::digest(SCRIPT.as_bytes()))
    );
    let head = el("head")
        .add(el("meta").attr("charset", "utf-8"))
        .add(el("meta").attr("name", "viewport").attr("content", "width=device-width, initial-scale=1"))
        .add(el("meta").attr("name", "color-scheme").attr("content", "light dark"))
        .add(el("meta").attr("name", "referrer").attr("content", "no-referrer"))
        .add(el("meta").attr("http-equiv", "Content-Security-Policy").attr("content", policy))
        .add(el("title").text(format!("{title} · items · Temper")))
        .add(el("style").add(Markup::trusted(STYLE)));
    let without = el("noscript").text("This page draws its items with a script of its own; allow scripts to see them.");
    let head: Markup = el("html").attr("lang", "en").add(head).into();
    let without: Markup = without.into();
    let html = format!(
        "<!doctype html>\n{}<body>{}<script id=\"data\" type=\"application/json\">{json}</script><script>{SCRIPT}</script></body></html>\n",
        head.as_str().trim_end_matches("</html>"),
        without.as_str(),
    );
    if html.len() > LARGE_PAGE {
        let size = html.len() >> 20;
        notes.push(format!(
            "the page is {size} MiB; above {} MiB browsers are slow: look at fewer items",
            LARGE_PAGE >> 20
        ));
    }
    ViewerPage { html, items, notes }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { digit as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests;
