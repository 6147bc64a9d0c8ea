//! The order that people expect of names: class 2 before class 10.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

/// Compares names character by character, and runs of digits by their value.
pub(super) fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut l, mut r) = (left.chars().peekable(), right.chars().peekable());
    loop {
        let order = match (l.peek().copied(), r.peek().copied()) {
            // Names that differ in leading zeros alone are still different names.
            (None, None) => return left.cmp(right),
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, b) = (digits(&mut l), digits(&mut r));
                a.len().cmp(&b.len()).then(a.cmp(&b))
            }
            (a, b) => {
                l.next();
                r.next();
                a.cmp(&b)
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes a run of digits, without its leading zeros.
fn digits(characters: &mut Peekable<Chars<'_>>) -> String {
    let mut run = String::new();
    while let Some(digit) = characters.next_if(char::is_ascii_digit) {
        if digit != '0' || !run.is_empty() {
            run.push(digit);
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::natural_order;

    #[test]
    fn numbers_are_compared_by_value() {
        let sorted = ["", "2", "02b", "10", "a", "a1", "a1b", "a2", "a10", "a10b2", "a10b11", "ab", "é"];
        let mut shuffled: Vec<_> = sorted.iter().rev().copied().collect();
        shuffled.sort_by(|a, b| natural_order(a, b));
        assert_eq!(shuffled, sorted);
        assert!(natural_order("01", "1").is_ne());
        assert!(natural_order("99999999999999999999999", "100000000000000000000000").is_lt());
    }
}
