//! How strings are made, as options.

use clap::Args;
use contract::{
    Contract, Interval,
    dataset::Error::{self, Refused},
    strings::{Hands, Length, Strings, Width},
    visible,
};

/// What the help calls these options.
pub const HEADING: &str = "Strings";

#[derive(Debug, Args)]
pub struct Style {
    /// Whether all characters of a string have the same latents, one, or each its own, mixed [default: mixed]
    #[arg(long, help_heading = HEADING, value_name = "HANDS")]
    hands: Option<Hands>,
    /// Pixels between the ink of two neighbours, or A..B; below 0 they overlap [default: 0..5]
    #[arg(long, help_heading = HEADING, value_name = "A..B", allow_hyphen_values = true)]
    spacing: Option<Interval>,
    /// Pixels that each character goes up or down, at most [default: 2]
    #[arg(long, help_heading = HEADING, value_name = "PIXELS", allow_negative_numbers = true)]
    jitter: Option<f64>,
    /// Size of the whole, 1 being that of the images, or A..B [default: 0.9..1.1]
    #[arg(long, help_heading = HEADING, value_name = "A..B")]
    zoom: Option<Interval>,
    /// Degrees that the whole leans to the right, or A..B [default: -10..10]
    #[arg(long, help_heading = HEADING, value_name = "A..B", allow_hyphen_values = true)]
    slant: Option<Interval>,
    /// Pixels that all pictures are wide, into which a string is shrunk if need be, or free: each as wide as its
    /// string [default: the most characters side by side]
    #[arg(long, help_heading = HEADING, value_name = "WIDTH")]
    width: Option<Width>,
}

impl Style {
    /// An option that was given, if one was.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--hands", self.hands.is_some()),
            ("--spacing", self.spacing.is_some()),
            ("--jitter", self.jitter.is_some()),
            ("--zoom", self.zoom.is_some()),
            ("--slant", self.slant.is_some()),
            ("--width", self.width.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// Strings of this length in this style.
    ///
    /// # Errors
    /// [`Error::Refused`] if one of the settings can't be.
    pub fn strings(&self, length: Length) -> Result<Strings, Error> {
        let by_default = Strings::new(length);
        let strings = Strings {
            length,
            hands: self.hands.unwrap_or(by_default.hands),
            spacing: self.spacing.unwrap_or(by_default.spacing),
            jitter: self.jitter.unwrap_or(by_default.jitter),
            zoom: self.zoom.unwrap_or(by_default.zoom),
            slant: self.slant.unwrap_or(by_default.slant),
            width: self.width.unwrap_or(by_default.width),
        };
        strings.fault().map_or(Ok(strings), |fault| Err(Refused(fault)))
    }
}

/// Refuses a model whose classes are no characters.
///
/// # Errors
/// [`Error::Refused`].
pub fn check_classes(contract: &Contract, model: &str) -> Result<(), Error> {
    let is_character = |name: &String| {
        let mut characters = name.chars();
        characters.next().is_some_and(|first| !first.is_control()) && characters.next().is_none()
    };
    let other = contract.classes.iter().find(|name| !is_character(name));
    match other {
        _ if !contract.is_labelled() => Err(Refused(format!(
            "strings are of classes whose names are one character each, and model {model} has no classes; leave \
             --strings out"
        ))),
        Some(name) => Err(Refused(format!(
            "strings are of classes whose names are one character each, and model {model} has the class {}; \
             leave --strings out",
            visible(name)
        ))),
        None => Ok(()),
    }
}
