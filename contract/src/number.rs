//! Whole numbers as command lines take them: each function parses those of a range.

use std::num::NonZeroUsize;

/// Parses a whole number of a range.
///
/// # Errors
///
/// A sentence that says the range.
pub fn whole<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    (text.parse().ok())
        .filter(|number| (LEAST..=MOST).contains(number))
        .ok_or_else(|| format!("expected a whole number from {LEAST} to {MOST}"))
}

/// Parses a number of things of which there must be at least one.
///
/// # Errors
///
/// A sentence that says the range.
pub fn from_one<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    (text.parse().ok())
        .filter(|number: &NonZeroUsize| number.get() <= MOST)
        .ok_or_else(|| format!("expected a whole number from 1 to {MOST}"))
}

/// Parses a seed, an index or a number of images, which may be as large as 64 bits allow.
///
/// # Errors
///
/// A sentence that says the range.
pub fn large<const LEAST: u64>(text: &str) -> Result<u64, String> {
    (text.parse().ok())
        .filter(|number| (LEAST..).contains(number))
        .ok_or_else(|| format!("expected a whole number from {LEAST} to {}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_of_their_range() {
        assert_eq!(["2", "9"].map(whole::<2, 9>), [Ok(2), Ok(9)]);
        for text in ["1", "10", "-3", "2.5", "", "many"] {
            assert_eq!(whole::<2, 9>(text), Err("expected a whole number from 2 to 9".into()), "{text}");
        }
        assert_eq!(from_one::<9>("9").map(NonZeroUsize::get), Ok(9));
        assert_eq!(large::<1>("18446744073709551615"), Ok(u64::MAX));
        for text in ["0", "10", "-3", "many"] {
            assert_eq!(from_one::<9>(text), Err("expected a whole number from 1 to 9".into()), "{text}");
        }
        for text in ["0", "18446744073709551616", "-3", "1.5"] {
            let expected = "expected a whole number from 1 to 18446744073709551615";
            assert_eq!(large::<1>(text), Err(expected.into()), "{text}");
        }
    }
}
