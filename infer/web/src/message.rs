//! Requests and replies as bytes: the length of a JSON text (32 bits, little-endian), the text, and what would
//! be large or inexact as text: pixels, latents (float32, little-endian), files.

use serde::Serialize;

/// Bytes of the length before the text.
const LENGTH: usize = 4;

/// A message of these parts.
pub fn join(head: &impl Serialize, body: &[u8]) -> Vec<u8> {
    // What is sent holds no map with keys other than texts, which is all that could fail.
    let head = serde_json::to_vec(head).unwrap_or_default();
    [&(head.len() as u32).to_le_bytes(), head.as_slice(), body].concat()
}

/// The text of a message, and where its other bytes begin; `None` if it is cut short.
pub fn split(message: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = message.split_first_chunk::<LENGTH>()?;
    let length = u32::from_le_bytes(*length) as usize;
    Some((rest.get(..length)?, LENGTH + length))
}

/// Numbers of single precision from a message's bytes; what is left over is dropped.
pub fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

/// As [`numbers`], the other way.
pub fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_apart_as_it_was_joined() {
        let message = join(&["a", "ü"], &bytes(&[1.5, -0.0]));
        let (head, body) = split(&message).unwrap_or_default();
        assert_eq!(head, "[\"a\",\"ü\"]".as_bytes());
        assert_eq!(numbers(&message[body..]).map_bits(), [1.5f32, -0.0].map_bits());
    }

    #[test]
    fn a_message_that_is_cut_short_is_none() {
        for message in [&[][..], &[1, 0, 0], &[2, 0, 0, 0, b'1']] {
            assert!(split(message).is_none(), "{message:?}");
        }
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl Bits for [f32] {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|number| number.to_bits()).collect()
        }
    }
}
