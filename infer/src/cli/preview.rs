//! Pictures in a terminal.

use std::{
    env,
    fmt::Write,
    io::{self, IsTerminal},
};

use clap::ValueEnum;
use contract::Picture;

/// Columns of a terminal whose width isn't known.
const USUAL_COLUMNS: usize = 80;

/// How to show a picture beside the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Preview {
    /// In a terminal: colour, or ASCII where it has none. Elsewhere nothing.
    #[default]
    Auto,
    /// Colour, wherever the text goes
    Colour,
    /// ASCII, wherever the text goes
    Ascii,
    /// Nothing
    None,
}

impl Preview {
    /// The picture as text; empty if it is not to be shown, or is wider than the terminal.
    pub fn of(self, picture: &Picture) -> String {
        let stdout = io::stdout();
        let columns = terminal_size::terminal_size_of(&stdout)
            .map_or(USUAL_COLUMNS, |(terminal_size::Width(columns), _)| columns.into());
        let style = match self {
            Self::None => return String::new(),
            Self::Colour => Style::Colour,
            Self::Ascii => Style::Ascii,
            Self::Auto if stdout.is_terminal() => Style::of_terminal(|name| env::var(name).ok()),
            Self::Auto => return String::new(),
        };
        render(picture, style, columns).unwrap_or_default()
    }
}

/// How a picture is shown as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Half blocks in 24-bit colour: a character cell shows two pixels, one above the other.
    Colour,
    /// Half blocks in the 256-colour palette, for terminals without 24-bit colour.
    Palette,
    /// Plain ASCII, dark to bright; two characters a pixel, so that pixels are about square.
    Ascii,
}

impl Style {
    /// The style that suits a terminal, from what its environment says: `NO_COLOR` (no-color.org),
    /// `TERM` and `COLORTERM`.
    fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Self {
        let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty())
            || variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let true_colour = variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
        match (plain, true_colour) {
            (true, _) => Self::Ascii,
            (false, true) => Self::Colour,
            (false, false) => Self::Palette,
        }
    }

    /// Columns that one pixel takes.
    fn columns(self) -> usize {
        match self {
            Self::Colour | Self::Palette => 1,
            Self::Ascii => 2,
        }
    }
}

/// The picture as lines of text, or `None` if it is wider than `columns`.
fn render(picture: &Picture, style: Style, columns: usize) -> Option<String> {
    if picture.width() * style.columns() > columns {
        return None;
    }
    let mut text = String::new();
    match style {
        Style::Ascii => ascii(picture, &mut text),
        Style::Colour => half_blocks(picture, &mut text, |[r, g, b]| format!("2;{r};{g};{b}")),
        Style::Palette => half_blocks(picture, &mut text, |rgb| format!("5;{}", palette(rgb))),
    }
    Some(text)
}

/// "▀" in the upper pixel's colour on the lower one's; a colour is only set where it changes.
fn half_blocks(picture: &Picture, text: &mut String, colour: impl Fn([u8; 3]) -> String) {
    for y in (0..picture.height()).step_by(2) {
        let mut current = None;
        for x in 0..picture.width() {
            let pair = (picture.pixel(x, y), picture.pixel(x, y + 1));
            if current != Some(pair) {
                let (upper, lower) = (colour(pair.0), colour(pair.1));
                // Writing to a string doesn't fail.
                let _ = write!(text, "\x1b[38;{upper};48;{lower}m");
                current = Some(pair);
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
}

/// The nearest colour of xterm's 256: its 24 greys, or its 6 × 6 × 6 cube.
fn palette([r, g, b]: [u8; 3]) -> u8 {
    if r == g && g == b {
        return match r {
            0..=3 => 16,
            247..=255 => 231,
            // Grey n of the ramp has level 8 + 10 n.
            _ => 232 + (r.saturating_sub(3) / 10).min(23),
        };
    }
    let step = |level: u8| (u16::from(level) * 5 + 127) / 255;
    (16 + 36 * step(r) + 6 * step(g) + step(b)) as u8
}

fn ascii(picture: &Picture, text: &mut String) {
    const RAMP: &[u8] = b" .:-=+*#%@";
    for y in 0..picture.height() {
        let start = text.len();
        for x in 0..picture.width() {
            let sum: usize = picture.pixel(x, y).map(usize::from).iter().sum();
            let character = char::from(RAMP[sum * (RAMP.len() - 1) / (3 * 255)]);
            text.extend([character, character]);
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;

    /// Two by three pixels: black, middle grey and white above; white below.
    fn picture() -> Picture {
        let levels = [0, 128, 255, 255, 255, 255];
        Picture::grid(&Array4::from_shape_fn((1, 1, 2, 3), |(_, _, y, x)| levels[y * 3 + x]), 1)
    }

    #[test]
    fn each_style_shows_every_pixel() {
        let shown = |style| render(&picture(), style, 80).unwrap_or_default();
        assert_eq!(shown(Style::Ascii), "  ==@@\n@@@@@@\n");
        assert_eq!(
            shown(Style::Colour),
            "\x1b[38;2;0;0;0;48;2;255;255;255m▀\x1b[38;2;128;128;128;48;2;255;255;255m▀\
             \x1b[38;2;255;255;255;48;2;255;255;255m▀\x1b[0m\n"
        );
        assert_eq!(
            shown(Style::Palette),
            "\x1b[38;5;16;48;5;231m▀\x1b[38;5;244;48;5;231m▀\x1b[38;5;231;48;5;231m▀\x1b[0m\n"
        );
    }

    #[test]
    fn a_picture_wider_than_the_terminal_is_not_shown() {
        assert!(render(&picture(), Style::Colour, 3).is_some());
        assert!(render(&picture(), Style::Colour, 2).is_none());
        assert!(render(&picture(), Style::Ascii, 5).is_none());
    }

    #[test]
    fn the_environment_chooses_the_style() {
        for (variables, expected) in [
            (&[("TERM", "xterm")][..], Style::Palette),
            (&[("TERM", "xterm"), ("COLORTERM", "truecolor")], Style::Colour),
            (&[("TERM", "xterm"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Style::Ascii),
            (&[("TERM", "dumb")], Style::Ascii),
            (&[], Style::Ascii),
        ] {
            let style = Style::of_terminal(|name| {
                let (_, value) = variables.iter().find(|(key, _)| *key == name)?;
                Some((*value).into())
            });
            assert_eq!(style, expected, "{variables:?}");
        }
    }

    #[test]
    fn greys_and_colours_map_to_the_nearest_palette_entry() {
        let distance = |index: u8, level: i32| {
            let shown = match index {
                16 => 0,
                231 => 255,
                _ => 8 + 10 * (i32::from(index) - 232),
            };
            (shown - level).abs()
        };
        for level in 0..=255u8 {
            let index = palette([level; 3]);
            assert!(distance(index, level.into()) <= 8, "grey {level} as {index}");
        }
        assert_eq!(palette([255, 0, 0]), 196);
        assert_eq!(palette([0, 255, 0]), 46);
        assert_eq!(palette([0, 0, 255]), 21);
    }
}
