//! Untrusted text, for a terminal, and errors as text.

use std::{borrow::Cow, error::Error, path::Path};

/// A text as one line without anything that could control a terminal or hide text: control characters and
/// direction marks become `\n` or `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown.into()
}

/// A path as [`printable`] text.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// A name as [`printable`] text, in quotes if there would be nothing to see.
pub fn visible(name: &str) -> Cow<'_, str> {
    match name.trim().is_empty() {
        true => format!("\"{}\"", printable(name)).into(),
        false => printable(name),
    }
}

/// A message as one [`printable`] line: libraries' own words may have several.
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    printable(&lines.collect::<Vec<_>>().join(" ")).into_owned()
}

/// An error and its causes, without those that its text already names.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// The first few of many things, at most `most`, in a row.
pub fn few(things: impl ExactSizeIterator<Item = impl ToString>, most: usize) -> String {
    let more = if things.len() > most { ", …" } else { "" };
    let first: Vec<_> = things.take(most).map(|thing| thing.to_string()).collect();
    first.join(", ") + more
}

/// A number with commas: `7,065,211`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

fn steers(c: char) -> bool {
    // Marks that turn the text's direction, or hide in it (Unicode's bidirectional controls).
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        for (text, expected) in [
            ("rosé 花 and more", "rosé 花 and more"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("a\rb\x7f\u{9b}1m\n", "a\\rb\\u{7f}\\u{9b}1m\\n"),
            ("txt.\u{202e}gnp", "txt.\\u{202e}gnp"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(shown(Path::new("a\nb\x1b[1m.onnx")), "a\\nb\\u{1b}[1m.onnx");
        assert_eq!(["", " ", "\t", "rose"].map(visible), ["\"\"", "\" \"", "\"\\t\"", "rose"]);
        assert_eq!(one_line("it failed:\n  at node 5\x1b\n\n"), "it failed: at node 5\\u{1b}");
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1000, 7_065_211].map(thousands), ["0", "999", "1,000", "7,065,211"]);
    }
}
