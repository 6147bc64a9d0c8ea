//! Classes by their names.

use crate::Contract;

impl Contract {
    /// The label of the class with this name.
    pub fn label(&self, name: &str) -> Option<i64> {
        self.classes.iter().position(|class| class == name).map(|label| label as i64)
    }

    /// The class that an unknown name may have meant: the same but for case, or the one that takes the fewest
    /// corrections, if they are at most a third of the name's letters.
    pub fn nearest_class(&self, name: &str) -> Option<&str> {
        let lower = name.to_lowercase();
        let close = lower.chars().count() / 3;
        (self.classes.iter())
            .map(|class| (strsim::damerau_levenshtein(&lower, &class.to_lowercase()), class))
            .filter(|(corrections, _)| *corrections <= close)
            .min()
            .map(|(_, class)| class.as_str())
    }

    /// What a class of this model is: a digit, if it has classes and all are numbers.
    pub fn noun(&self) -> &'static str {
        let number = |class: &String| !class.is_empty() && class.bytes().all(|byte| byte.is_ascii_digit());
        if self.is_labelled() && self.classes.iter().all(number) { "digit" } else { "class" }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::{Contract, LatentDistribution, PixelRange, Training};

    pub fn contract(classes: &[&str]) -> Contract {
        Contract {
            architecture: "tiny".into(),
            dataset: "names".into(),
            classes: classes.iter().map(|class| (*class).into()).collect(),
            latent_dim: 1,
            latent_distribution: LatentDistribution::Uniform,
            pixel_range: PixelRange::ZeroToOne,
            training: Training::default(),
            quality: Default::default(),
            golden: None,
        }
    }

    #[test]
    fn a_class_is_found_by_its_exact_name() {
        let contract = contract(&["T-shirt/top", "größe", "5"]);
        assert_eq!(contract.label("größe"), Some(1));
        assert_eq!(contract.label("5"), Some(2));
        assert_eq!(contract.label("05"), None);
        assert_eq!(contract.noun(), "class");
    }

    #[test]
    fn the_nearest_name_is_suggested_if_it_is_near() {
        let contract = contract(&["daisy", "rose", "A", "T-shirt/top"]);
        for (name, nearest) in [
            ("Daisy", Some("daisy")),
            ("daysi", None),
            ("dasiy", Some("daisy")),
            ("roes", Some("rose")),
            ("a", Some("A")),
            ("B", None),
            ("tshirt/top", Some("T-shirt/top")),
            ("tulip", None),
            ("", None),
        ] {
            assert_eq!(contract.nearest_class(name), nearest, "{name}");
        }
    }

    #[test]
    fn numbers_have_no_near_ones() {
        let contract = contract(&["0", "1", "10"]);
        assert_eq!(contract.nearest_class("12"), None);
        assert_eq!(contract.noun(), "digit");
    }

    #[test]
    fn no_class_and_a_class_without_a_name_are_no_digits() {
        assert_eq!([&[][..], &[""], &["", "1"]].map(|classes| contract(classes).noun()), ["class"; 3]);
        assert_eq!(contract(&["", "1"]).describe_classes(), "the classes \"\" and 1");
    }
}
