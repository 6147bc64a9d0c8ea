//! Columns of text.

use contract::printable;

/// The widest column: what is longer moves only its own line.
const WIDEST: usize = 48;

/// Rows whose columns begin below one another, indented, each with its line break.
pub fn left(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0).min(WIDEST)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("  {cell:width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The first characters of a text that is longer, [`printable`].
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => printable(text).into_owned(),
        Some((end, _)) => format!("{}…", printable(&text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_begin_below_one_another() {
        let rows = [vec!["größe", "1"], vec!["z"], vec!["", "23"]];
        let rows = rows.map(|row| row.into_iter().map(String::from).collect());
        assert_eq!(left(rows), "  größe  1\n  z\n         23\n");
    }
}
