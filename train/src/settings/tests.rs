use candle_core::Device;
use clap::{Arg, Args, Command, FromArgMatches};
use contract::LatentDistribution;
use models::ops::cpu::bf16::Unit;
use models::{Architecture, Sizes};
use serde_json::{Value, json};

use super::{Settings, resolve};
use crate::device::Precision;
use crate::options::{self, Options};
use crate::recipe::{Recipe, RecipeName};
use crate::schedule::Decay;

const RECIPES: [RecipeName; 2] = [RecipeName::Reference, RecipeName::Quality];

fn command() -> Command {
    Options::augment_args(Command::new("train"))
}

/// The settings that these arguments and this file give.
fn resolved(arguments: &[&str], file: Option<&str>) -> Settings {
    Settings::new(&options(arguments, file).unwrap(), &Device::Cpu).unwrap()
}

fn options(arguments: &[&str], file: Option<&str>) -> anyhow::Result<Options> {
    let path = file.map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file
    });
    let matches = command().get_matches_from([&["train"], arguments].concat());
    let flags = Options::from_arg_matches(&matches).unwrap();
    resolve(&flags, path.as_ref().map(|file| file.path()))
}

/// An option's value.
fn value(options: &Options, key: &str) -> Option<Value> {
    options.values().unwrap().remove(key)
}

#[test]
fn without_options_it_is_the_reference() {
    let settings = resolved(&[], None);
    assert_eq!(settings.recipe, Recipe::default());
    assert_eq!(settings.networks, Architecture::LabelledDcgan(Sizes::default()));
    assert_eq!((settings.epochs, settings.batch_size, settings.seed), (25, 64, 0));
    assert_eq!((settings.data, settings.size, settings.recipe_name.as_str()), (None, None, "reference"));
}

#[test]
fn every_recipe_says_every_setting() {
    for recipe in RECIPES.map(RecipeName::name) {
        let options = options(&["--recipe", recipe], None).unwrap();
        assert_eq!(Settings::new(&options, &Device::Cpu).unwrap().recipe_name, recipe);
        for key in options::names() {
            let optional = [
                "data",
                "size",
                "crop",
                "background",
                "learning-rate",
                "checkpoint-every",
                "evaluate-every",
                "judge",
                "features",
            ]
            .contains(&key);
            assert_eq!(value(&options, key).is_none(), optional, "{key}");
        }
    }
}

#[test]
fn flags_go_over_the_file_and_the_file_over_the_recipe() {
    let file = "seed = 5\nepochs = 7\nbatch-size = 8\nbeta1 = 0.25\ntf32 = true\n";
    let options = options(&["--epochs", "9", "--tf32=false"], Some(file)).unwrap();
    let settings = Settings::new(&options, &Device::Cpu).unwrap();
    assert_eq!((settings.epochs, settings.seed, settings.batch_size), (9, 5, 8));
    assert_eq!((settings.recipe.adam.beta1, settings.recipe.adam.beta2), (0.25, 0.999));
    assert_eq!(value(&options, "tf32"), Some(json!(false)));
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
    let first = options(&[&arguments[..], &more].concat(), None).unwrap();
    let printed = first.to_string();
    assert!(printed.contains("decay = \"cosine\"\ndecay-from = 3\n"), "{printed}");
    assert!(printed.contains("seed = \"18446744073709551615\"\n"), "{printed}");
    let again = options(&[], Some(&printed)).unwrap();
    assert_eq!(again, first);
    let (settings, again) =
        [&first, &again].map(|options| Settings::new(options, &Device::Cpu).unwrap()).into();
    assert_eq!((again.recipe, again.networks), (settings.recipe, settings.networks));
    assert_eq!(
        (again.recipe.decay, again.networks.sizes().latent),
        (Decay::Cosine, LatentDistribution::Normal)
    );
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
    assert_eq!(settings.networks.name(), "unlabelled-dcgan");

    let file = "unlabelled = true\ndata = \"photos\"\nsize = \"64x48\"\nbackground = \"#ffcc00\"\n";
    let options_of_both =
        options(&["--crop=false", "--flip", "--generator-filters", "8"], Some(file)).unwrap();
    let settings = Settings::new(&options_of_both, &Device::Cpu).unwrap();
    let made = settings.unlabelled.unwrap();
    assert_eq!((made.crop, made.background.0, settings.flip), (false, [255, 204, 0], true));
    assert_eq!((settings.networks.sizes().generator_filters, settings.size.unwrap().height), (8, 48));
    assert_eq!(settings.recipe_name, "reference: flip = true, generator-filters = 8");
    let printed = options_of_both.to_string();
    assert!(!printed.contains("mismatch") && printed.contains("crop = false\n"), "{printed}");
    assert_eq!(options(&[], Some(&printed)).unwrap(), options_of_both);
}

#[test]
fn settings_of_the_other_kind_of_pictures_are_refused() {
    let error = |arguments: &[&str]| options(arguments, None).unwrap_err().to_string();
    for key in ["mismatch", "contrast", "guide", "guide-finish", "generator-units", "discriminator-units"] {
        let told = error(&["--unlabelled", "--data", "photos", &format!("--{key}=2")]);
        assert!(told.contains(&format!("{key} is 2")) && told.contains("for labelled pictures"), "{told}");
    }
    let told = error(&["--unlabelled", "--data", "photos", "--recipe", "quality"]);
    assert!(told.contains("guide is 4") && told.contains("recipe \"reference\""), "{told}");
    let told = error(&["--unlabelled"]);
    assert!(told.contains("unlabelled is given, but not data"), "{told}");
    for flag in ["--crop", "--background=black", "--features=judge.safetensors"] {
        let told = error(&["--data", "flowers", flag]);
        assert!(told.contains("for unlabelled pictures"), "{told}");
    }
    let square = ["--unlabelled", "--data", "photos", "--size", "32"];
    assert_eq!(resolved(&square, None).size, resolved(&square[..3], Some("size = 32")).size);
    // What says no more than the recipe is no contradiction.
    let plain =
        include_str!("../../recipes/reference.toml").replace("unlabelled = false", "unlabelled = true");
    assert!(resolved(&["--data", "photos"], Some(&plain)).unlabelled.is_some());
}

#[test]
fn features_and_who_sees_them_come_together() {
    let photos = ["--unlabelled", "--data", "photos"];
    let given =
        |more: &[&str]| Settings::new(&options(&[&photos, more].concat(), None).unwrap(), &Device::Cpu);
    let told = given(&["--projected", "2"]).unwrap_err().to_string();
    assert!(
        told.contains("projected is 2, but features is not given") && told.contains("train-judge"),
        "{told}"
    );
    let told = given(&["--features", "judge.safetensors"]).unwrap_err().to_string();
    assert!(told.contains("features is \"judge.safetensors\", but projected is 0"), "{told}");
    let settings = given(&["--projected", "2", "--features", "judge.safetensors"]).unwrap();
    assert_eq!(settings.recipe_name, "reference: projected = 2.0, features = \"judge.safetensors\"");
}

#[test]
fn changes_of_pictures_that_change_none_are_refused() {
    for flag in ["--augment-probability=0.5", "--consistency=2"] {
        let given =
            |more: &[&str]| Settings::new(&options(&[&[flag], more].concat(), None).unwrap(), &Device::Cpu);
        let told = given(&["--translation=0", "--cutout=0"]).unwrap_err().to_string();
        assert!(told.contains("translation and cutout are 0") && told.contains("expected"), "{told}");
        assert!(given(&["--translation=0"]).is_ok() && given(&["--cutout=0"]).is_ok());
    }
    assert!(Settings::new(&options(&["--translation=0", "--cutout=0"], None).unwrap(), &Device::Cpu).is_ok());
}

#[test]
fn every_word_of_a_choice_means_something() {
    for flag in command().get_arguments().filter(|flag| !flag.get_possible_values().is_empty()) {
        let key = flag.get_long().unwrap();
        for word in flag.get_possible_values() {
            let options = options(&[&format!("--{key}"), word.get_name()], None).unwrap();
            assert_eq!(value(&options, key), Some(json!(word.get_name())));
        }
    }
}

#[test]
fn help_tells_the_reference_recipe_s_values() {
    let reference = RecipeName::Reference.options().unwrap();
    let told = |flag: &Arg| {
        flag.get_help().unwrap().to_string().split_once("[default: ").map(|told| told.1.to_string())
    };
    for flag in command().get_arguments() {
        let key = flag.get_long().unwrap();
        // Without a default stand what is off, and one network's rate beside that for both.
        let off = ["tf32", "unlabelled", "flip", "learning-rate-g", "learning-rate-d"].contains(&key);
        if let Some(value) = value(&reference, key).filter(|_| !off) {
            let value = options::written(&value).replace('"', "");
            let told = told(flag).unwrap();
            assert!(
                told == format!("{value}]") || told == format!("{value}, or the resumed run's]"),
                "{key}: {told}"
            );
        }
    }
}

/// `auto` leaves GPUs alone, gives way to `--tf32`, and comes to what this processor has units for.
#[test]
fn auto_is_bfloat16_where_the_cpu_multiplies_in_it() {
    let asked = |more: &[&str]| resolved(&[&["--precision=auto"], more].concat(), None).precision;
    let here = match Unit::best() {
        Unit::Portable => Precision::Float32,
        _ => Precision::Bf16,
    };
    assert_eq!(asked(&[]), here);
    assert_eq!(asked(&["--tf32"]), Precision::Tf32);
    assert_eq!(resolved(&["--precision=bf16"], None).precision, Precision::Bf16);
    assert_eq!(resolved(&[], None).precision, Precision::Float32, "the reference recipe's");
}
