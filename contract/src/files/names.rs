//! File names made from untrusted names.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// The most characters of a file name: each can take four of the 255 bytes that file systems allow.
const LONGEST: usize = 60;

/// A text as a file's name without its extension: characters that aren't `kept` become `-`.
pub fn file_name(text: &str, kept: impl Fn(char) -> bool) -> String {
    text.chars().map(|c| if kept(c) { c } else { '-' }).take(LONGEST).collect()
}

/// The [`file_name`] of each of several texts, all of them different, also to file systems that take
/// `Rosé` and `rosé` for one name, or an é and an e with an accent. A duplicate or blank one gets its
/// number in front.
pub fn distinct_names(texts: &[String], kept: impl Fn(char) -> bool) -> Vec<String> {
    let plain: Vec<String> = texts.iter().map(|text| file_name(text, &kept)).collect();
    let mut numbered: Vec<bool> = plain.iter().map(|name| name.trim().is_empty()).collect();
    loop {
        let names: Vec<String> = (plain.iter().zip(&numbered).enumerate())
            .map(|(i, (name, numbered))| if *numbered { format!("{i}-{name}") } else { name.clone() })
            .collect();
        let mut owners: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, name) in names.iter().enumerate() {
            owners.entry(folded(name)).or_default().push(i);
        }
        // A number can produce another name of the list, which is then numbered too. Numbered ones differ.
        let shared: Vec<usize> = (owners.into_values().filter(|owners| owners.len() > 1).flatten())
            .filter(|i| !numbered[*i])
            .collect();
        if shared.is_empty() {
            return names;
        }
        shared.into_iter().for_each(|i| numbered[i] = true);
    }
}

/// A key that is equal for names that a file system may treat as one.
fn folded(name: &str) -> String {
    // Upper case makes more names equal than lower case: ß and ss, ς and σ. Windows drops trailing blanks.
    name.trim_end().nfkd().flat_map(char::to_uppercase).nfkd().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).into()).collect();
        distinct_names(&texts, |c| c.is_alphanumeric() || "-_ ".contains(c))
    }

    #[test]
    fn what_is_no_name_for_a_file_becomes_one() {
        assert_eq!(names(&["5", "T-shirt/top", "größe", ".."]), ["5", "T-shirt-top", "größe", "--"]);
        assert_eq!(file_name("a.b c", char::is_alphanumeric), "a-b-c");
        assert_eq!(names(&["", " ", "x"]), ["0-", "1- ", "x"]);
        let long = "ß".repeat(300);
        assert_eq!(file_name(&long, char::is_alphanumeric).chars().count(), LONGEST);
        assert_eq!(names(&[&long, &long])[1].chars().next(), Some('1'));
    }

    #[test]
    fn no_two_share_a_name() {
        assert_eq!(names(&["a/b", "a-b", "a.b", "c"]), ["0-a-b", "1-a-b", "2-a-b", "c"]);
        // By case and by accents, as the file systems of Windows and of macOS see them.
        assert_eq!(names(&["rose", "Rose"]), ["0-rose", "1-Rose"]);
        assert_eq!(names(&["rosé", "ROSÉ"]), ["0-rosé", "1-ROSÉ"]);
        assert_eq!(names(&["straße", "STRASSE"]), ["0-straße", "1-STRASSE"]);
        assert_eq!(names(&["οδος", "ΟΔΟΣ"]), ["0-οδος", "1-ΟΔΟΣ"]);
        assert_eq!(names(&["ﬁn", "fin", "rose "]), ["0-ﬁn", "1-fin", "rose "]);
        let (one, two) = ("caf\u{e9}", "cafe\u{301}");
        let kept = |c: char| c.is_alphanumeric() || c == '\u{301}';
        let both = distinct_names(&[one.into(), two.into()], kept);
        assert_eq!(both, [format!("0-{one}"), format!("1-{two}")]);
        // A number in front makes a name that was another's.
        assert_eq!(names(&["rose", "Rose", "0-rose"]), ["0-rose", "1-Rose", "2-0-rose"]);
        assert_eq!(names(&["a", "A", "0-a", "2-0-A", "x"]), ["0-a", "1-A", "2-0-a", "3-2-0-A", "x"]);
    }
}
