//! The card of a data set: what it is, for people and for `datasets`.

use std::fmt::Write;

use super::{super::Manifest, FOLDER};
use crate::{dataset::plan::Labels, strings::Width, visible};

/// The card's text: YAML front matter that says where the files of each split are, and a table.
pub(super) fn text(manifest: &Manifest, [channels, height, width]: [usize; 3]) -> String {
    let Manifest { count, test, seed, classes, model_sha256, .. } = manifest;
    let model = file_name(&manifest.model);
    let kind = if channels == 1 { "grey" } else { "colour" };
    let of_class = |images: u64| match &manifest.labels {
        _ if classes.is_empty() => "without labels".to_owned(),
        _ if manifest.strings.is_some() => "strings of characters".to_owned(),
        Labels::Cycle(_) => "by the classes' weights".to_owned(),
        Labels::All(_) => "all of one class".to_owned(),
        Labels::InTurn { classes } => match (images / classes.max(&1), images % classes.max(&1)) {
            (each, 0) => format!("{each} of each class"),
            (each, _) => format!("{each} or {} of each class", each + 1),
        },
    };
    let splits = [("train", *count), ("test", *test)].into_iter().filter(|(_, images)| *images > 0);
    let mut card = String::from("---\npretty_name: Images drawn by edgegan\ntask_categories:\n");
    card.push_str(match manifest.strings {
        Some(_) => "- image-to-text\n- object-detection\n",
        None => "- image-classification\n",
    });
    let size = size_category(count.saturating_add(*test));
    let _ = write!(
        card,
        "size_categories:\n- {size}\ntags:\n- synthetic\nconfigs:\n- config_name: default\n  data_files:\n"
    );
    for (split, _) in splits.clone() {
        let _ = write!(card, "  - split: {split}\n    path: {FOLDER}/{split}-*\n");
    }
    card.push_str("---\n\n# Images drawn by edgegan\n\n| | |\n|---|---|\n");
    for (split, images) in splits {
        let _ = writeln!(card, "| images in {split} | {images}, {} |", of_class(images));
    }
    let free = manifest.strings.as_ref().is_some_and(|strings| strings.width == Width::Free);
    let most = if free { ", or narrower" } else { "" };
    let _ = writeln!(card, "| pictures | {width}×{height}{most}, {kind}, PNG |");
    if !classes.is_empty() {
        let names: Vec<_> = classes.iter().map(|name| cell(name)).collect();
        let _ = writeln!(card, "| classes, in the labels' order | {} |", names.join(", "));
    }
    let _ = writeln!(card, "| model | {}, SHA-256 {model_sha256} |", cell(model));
    let _ = writeln!(card, "| seed | {seed} |\n| drawn by | {} |", cell(&manifest.engine));
    if let Some(strings) = &manifest.strings {
        let _ = writeln!(card, "| strings | `{strings}` |");
    }
    if matches!(manifest.labels, Labels::Cycle(_)) {
        let _ = writeln!(card, "| weights of the classes | {} |", cell(&manifest.labels.balance(classes)));
    }
    if let Some(noise) = &manifest.noise {
        let _ = writeln!(card, "| noise | `{noise}` |");
    }
    if let Some(verified) = &manifest.verified {
        let judge = cell(file_name(&verified.judge));
        let _ = writeln!(
            card,
            "| verified by | {judge}, SHA-256 {}, confidence {} or more |",
            verified.judge_sha256, verified.threshold
        );
    }
    card.push_str(
        "\nEvery image is the output of a generative model, none a photograph or a scan. Image i depends on the \
         model, the seed, i and its label alone.\n\n```python\nfrom datasets import load_dataset\n\
         data = load_dataset(\"path/to/this/folder\")\n```\n",
    );
    card
}

/// The hub's name for a number of rows.
fn size_category(images: u64) -> &'static str {
    const NAMES: [(u64, &str); 6] = [
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
        (10_000_000, "1M<n<10M"),
        (100_000_000, "10M<n<100M"),
    ];
    NAMES.iter().find(|(below, _)| images < *below).map_or("n>100M", |(_, name)| name)
}

/// The last part of a path: where a model lies on somebody's disk is nothing for a card.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_names_splits_figures_and_no_path() {
        let manifest = serde_json::json!({
            "format": "parquet", "model": "/home/me/tiny.onnx", "model_sha256": "abc", "engine": "rten 0.27", "seed": 7,
            "count": 25, "test": 10, "per_file": 10, "shard": {"index": 1, "of": 1}, "first": 0, "images": 35,
            "complete": 0, "labels": {"in_turn": {"classes": 2}}, "classes": ["a|b", "c"], "verified": null,
            "shape": [1, 2, 3], "tail": {"offset": 0, "crc32": 0},
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let card = text(&manifest, [3, 2, 4]);
        for part in [
            "---\npretty_name: ",
            "\n- n<1K\n",
            "  - split: train\n    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n",
            "| images in train | 25, 12 or 13 of each class |\n| images in test | 10, 5 of each class |\n",
            "| pictures | 4×2, colour, PNG |\n",
            "| a\\|b, c |\n",
            "| model | tiny.onnx, SHA-256 abc |\n",
        ] {
            assert!(card.contains(part), "{part:?} is not in {card}");
        }
        assert!(!card.contains("/home"));
        assert_eq!([999, 1000, u64::MAX].map(size_category), ["n<1K", "1K<n<10K", "n>100M"]);
    }
}
