use clap::{CommandFactory, FromArgMatches, Parser};
use contract::LatentDistribution;
use models::{Architecture, Sizes};

use super::{Flags, Kind, RESUMABLE, SETTINGS, Settings, Value, default, resolve};
use crate::cli::Cli;
use crate::recipe::{RECIPES, Recipe};
use crate::schedule::Decay;

/// The settings that these arguments and this file give.
fn resolved(arguments: &[&str], file: Option<&str>) -> Settings {
    try_resolved(arguments, file).unwrap()
}

fn try_resolved(arguments: &[&str], file: Option<&str>) -> anyhow::Result<Settings> {
    let path = file.map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file
    });
    let matches = Cli::command().get_matches_from([&["train"], arguments].concat());
    let flags = Flags::from_arg_matches(&matches).unwrap();
    resolve(&flags, path.as_ref().map(|file| file.path()))
}

#[test]
fn without_options_it_is_the_reference() {
    let settings = resolved(&[], None);
    assert_eq!(settings.recipe, Recipe::default());
    assert_eq!(settings.networks, Sizes::default());
    assert_eq!((settings.epochs, settings.batch_size, settings.seed), (25, 64, 0));
    assert_eq!((settings.data, settings.size, settings.recipe_name.as_str()), (None, None, "reference"));
}

#[test]
fn every_recipe_says_every_setting() {
    for recipe in RECIPES {
        let settings = resolved(&["--recipe", recipe.name], None);
        assert_eq!(settings.recipe_name, recipe.name, "{}", recipe.about);
        for setting in SETTINGS {
            let optional = [
                "data",
                "size",
                "crop",
                "background",
                "learning-rate",
                "checkpoint-every",
                "evaluate-every",
                "judge",
            ]
            .contains(&setting.key);
            assert_eq!(settings.values.get(setting.key).is_none(), optional, "{}", setting.key);
        }
    }
}

#[test]
fn flags_go_over_the_file_and_the_file_over_the_recipe() {
    let file = "seed = 5\nepochs = 7\nbatch-size = 8\nbeta1 = 0.25\ntf32 = true\n";
    let settings = resolved(&["--epochs", "9", "--tf32=false"], Some(file));
    assert_eq!((settings.epochs, settings.seed, settings.batch_size), (9, 5, 8));
    assert_eq!((settings.recipe.adam.beta1, settings.recipe.adam.beta2), (0.25, 0.999));
    assert_eq!(settings.values.get("tf32"), Some(&Value::Switch(false)));
    // What a run says of itself names what it has otherwise than the recipe, but not how long it ran.
    assert_eq!(settings.recipe_name, "reference: beta1 = 0.25");
}

#[test]
fn a_learning_rate_for_both_goes_over_one_from_below() {
    let rates = |arguments: &[&str], file: &str| {
        let recipe = resolved(arguments, Some(file)).recipe;
        (recipe.adam.learning_rate, recipe.adam_d().learning_rate)
    };
    assert_eq!(rates(&[], ""), (2e-4, 2e-4));
    assert_eq!(rates(&[], "learning-rate = 0.01"), (0.01, 0.01));
    assert_eq!(rates(&[], "learning-rate-d = 0.01"), (2e-4, 0.01));
    assert_eq!(rates(&[], "learning-rate = 0.01\nlearning-rate-d = 0.02"), (0.01, 0.02));
    assert_eq!(rates(&["--learning-rate-g", "0.03"], "learning-rate = 0.01"), (0.03, 0.01));
    assert_eq!(rates(&["--learning-rate", "0.03"], "learning-rate-d = 0.01"), (0.03, 0.03));
}

#[test]
fn what_is_printed_is_read_again() {
    let arguments = ["--seed", "18446744073709551615", "--data", "a \"b\"\\c", "--size", "64x48"];
    let more = ["--decay", "cosine", "--decay-from", "3", "--learning-rate-d", "1e-7", "--latent", "normal"];
    let settings = resolved(&[&arguments[..], &more].concat(), None);
    let printed = settings.values.to_string();
    assert!(printed.contains("decay = \"cosine\"\ndecay-from = 3\n"), "{printed}");
    assert!(printed.contains("seed = \"18446744073709551615\"\n"), "{printed}");
    let again = resolved(&[], Some(&printed));
    assert_eq!(again.values, settings.values);
    assert_eq!((again.recipe, again.networks), (settings.recipe, settings.networks));
    assert_eq!((again.recipe.decay, again.networks.latent), (Decay::Cosine, LatentDistribution::Normal));
}

#[test]
fn unlabelled_pictures_have_settings_of_their_own() {
    let settings = resolved(&["--unlabelled", "--data", "photos"], None);
    let made = settings.unlabelled.unwrap();
    assert_eq!((made.crop, made.background.0, settings.flip), (true, [255; 3], false));
    assert_eq!(
        (settings.size.unwrap().to_string().as_str(), settings.recipe_name.as_str()),
        ("64x64", "reference")
    );
    assert_eq!(Architecture::from(settings.networks).name(), "unlabelled-dcgan");

    let file = "unlabelled = true\ndata = \"photos\"\nsize = \"64x48\"\nbackground = \"#ffcc00\"\n";
    let settings = resolved(&["--crop=false", "--flip", "--generator-filters", "8"], Some(file));
    let made = settings.unlabelled.unwrap();
    assert_eq!((made.crop, made.background.0, settings.flip), (false, [255, 204, 0], true));
    assert_eq!((settings.networks.generator_filters, settings.size.unwrap().height), (8, 48));
    assert_eq!(settings.recipe_name, "reference: flip = true, generator-filters = 8");
    let printed = settings.values.to_string();
    assert!(!printed.contains("mismatch") && printed.contains("crop = false\n"), "{printed}");
    assert_eq!(resolved(&[], Some(&printed)).values, settings.values);
}

#[test]
fn settings_of_the_other_kind_of_pictures_are_refused() {
    let error = |arguments: &[&str]| try_resolved(arguments, None).unwrap_err().to_string();
    for key in ["mismatch", "contrast", "guide", "generator-units", "discriminator-units", "evaluate-every"] {
        let told = error(&["--unlabelled", "--data", "photos", &format!("--{key}=2")]);
        assert!(told.contains(&format!("{key} is 2")) && told.contains("for labelled pictures"), "{told}");
    }
    let told = error(&["--unlabelled", "--data", "photos", "--recipe", "quality"]);
    assert!(told.contains("mismatch is 1") && told.contains("recipe \"reference\""), "{told}");
    let told = error(&["--unlabelled"]);
    assert!(told.contains("unlabelled is given, but not data"), "{told}");
    for flag in ["--crop", "--background=black"] {
        let told = error(&["--data", "flowers", flag]);
        assert!(told.contains("for unlabelled pictures"), "{told}");
    }
    let square = ["--unlabelled", "--data", "photos", "--size", "32"];
    assert_eq!(resolved(&square, None).size, resolved(&square[..3], Some("size = 32")).size);
    // What says no more than the recipe is no contradiction.
    let plain = RECIPES[0].settings.replace("unlabelled = false", "unlabelled = true");
    assert!(resolved(&["--data", "photos"], Some(&plain)).unlabelled.is_some());
}

#[test]
fn every_word_of_a_choice_means_something() {
    for setting in SETTINGS {
        if let Kind::Choice(words) = setting.kind {
            for word in words() {
                let flag = format!("--{}", setting.key);
                let settings = resolved(&[&flag, word], None);
                assert_eq!(settings.values.get(setting.key), Some(&Value::Text(word.to_string())));
            }
        }
    }
}

#[test]
fn the_flags_are_sound() {
    Cli::command().debug_assert();
    for key in RESUMABLE {
        assert!(Cli::try_parse_from(["train", "--resume", &format!("--{key}=5")]).is_ok(), "{key}");
    }
    for setting in SETTINGS.iter().filter(|setting| !RESUMABLE.contains(&setting.key)) {
        let value = match setting.key {
            "recipe" => "reference".to_string(),
            "data" | "size" => "64x48".to_string(),
            "background" => "white".to_string(),
            "crop" => "false".to_string(),
            "learning-rate" | "learning-rate-g" | "learning-rate-d" => "1".to_string(),
            key => default(key).unwrap(),
        };
        let flag = format!("--{}={value}", setting.key);
        let error = Cli::try_parse_from(["train", "--resume", "run", &flag]).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{flag}");
    }
}
