//! How files of pictures of any shape become pictures of one size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The colours that have a name, as in CSS.
const NAMED: [(&str, Background); 3] =
    [("black", Background::BLACK), ("white", Background([255; 3])), ("grey", Background([128; 3]))];

/// How a picture comes to a size, and what is seen through it. The default is that of labelled pictures:
/// stretched, on black.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Framing {
    /// Whether what exceeds the shape of the size is cut off, evenly on both sides. Otherwise pictures of
    /// another shape are stretched.
    pub crop: bool,
    /// What is transparent lies on it.
    pub background: Background,
}

/// What is transparent lies on this colour: red, green, blue.
///
/// ```
/// use contract::picture::Background;
///
/// assert_eq!("white".parse(), Ok(Background([255, 255, 255])));
/// assert_eq!(Background([255, 204, 0]).to_string(), "#ffcc00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Background(pub [u8; 3]);

impl Background {
    const BLACK: Self = Self([0; 3]);

    /// Puts a pixel of this opacity on the background.
    pub fn under(self, pixel: [u8; 3], opacity: u8) -> [u8; 3] {
        let (opaque, clear) = (u32::from(opacity), u32::from(255 - opacity));
        [0, 1, 2].map(|channel| {
            let [above, below] = [pixel[channel], self.0[channel]].map(u32::from);
            ((above * opaque + below * clear + 127) / 255) as u8
        })
    }
}

impl Default for Background {
    fn default() -> Background {
        Background::BLACK
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, colour)| colour == self) {
            Some((name, _)) => f.write_str(name),
            None => {
                let [r, g, b] = self.0;
                write!(f, "#{r:02x}{g:02x}{b:02x}")
            }
        }
    }
}

impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_lowercase().replace("gray", "grey");
        let named = NAMED.iter().find(|(name, _)| *name == lower).map(|(_, colour)| *colour);
        named
            .or_else(|| hexadecimal(&lower))
            .ok_or_else(|| format!("expected black, white, grey, or a colour such as #ffcc00, not {text:?}"))
    }
}

impl TryFrom<String> for Background {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Background> for String {
    fn from(background: Background) -> String {
        background.to_string()
    }
}

/// A colour as `#rrggbb`.
fn hexadecimal(text: &str) -> Option<Background> {
    let digits = text.strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some(Background([r, g, b]))
}

#[cfg(test)]
mod tests {
    use super::Background;

    #[test]
    fn a_colour_has_a_name_or_six_digits() {
        for (text, colour, shown) in [
            ("white", [255; 3], "white"),
            ("Black", [0; 3], "black"),
            ("gray", [128; 3], "grey"),
            ("#FFcc00", [255, 204, 0], "#ffcc00"),
            ("#000001", [0, 0, 1], "#000001"),
            ("#808080", [128; 3], "grey"),
        ] {
            let background: Background = text.parse().unwrap();
            assert_eq!((background.0, background.to_string().as_str()), (colour, shown), "{text}");
            let json = serde_json::to_string(&background).unwrap();
            assert_eq!(json, format!("\"{shown}\""));
            assert_eq!(serde_json::from_str::<Background>(&json).unwrap(), background);
        }
        for text in ["", "#", "ffcc00", "#fc0", "#ffcc0g", "#+fcc00", "#ffcc000", "#fféé", "red"] {
            assert!(text.parse::<Background>().is_err_and(|e| e.contains("such as #ffcc00")), "{text:?}");
        }
        assert!(serde_json::from_str::<Background>("\"mauve\"").is_err());
    }

    #[test]
    fn a_pixel_covers_as_much_as_it_is_opaque() {
        let background = Background([255, 0, 100]);
        assert_eq!(background.under([1, 2, 3], 255), [1, 2, 3]);
        assert_eq!(background.under([1, 2, 3], 0), background.0);
        assert_eq!(background.under([55, 200, 100], 128), [155, 100, 100]);
    }
}
