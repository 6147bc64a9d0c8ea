use models::{Architecture, Network, Shape, Sizes};

use super::{Block, Strip, of_file, of_network, svg};
use crate::inspect::describe;

fn labelled() -> Architecture {
    Architecture::LabelledDcgan(Sizes::default())
}

fn unlabelled() -> Architecture {
    Architecture::UnlabelledDcgan(Sizes::unlabelled())
}

fn pair(pair: Architecture) -> [Strip; 2] {
    [pair.generator().unwrap(), pair.discriminator().unwrap()].map(|network| of_network(&network))
}

/// Each block in a line.
fn told(strip: &Strip) -> Vec<String> {
    let line = |block: &Block| {
        let label = block.with_label().map(|label| format!(" {label}"));
        format!("{} | {}{}", block.operations.join(", "), block.describe(), label.unwrap_or_default())
    };
    strip.blocks.iter().map(line).collect()
}

/// They are made by `cargo export figure --checkpoint RUN`, of runs with the default sizes.
#[test]
fn the_documentation_s_figures_are_what_the_lists_of_layers_are() {
    for (architecture, name) in [(labelled(), "labelled"), (unlabelled(), "unlabelled")] {
        let path = format!("{}/../docs/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        let drawn = svg(&pair(architecture));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == drawn, "{path} is another figure: draw it anew with `cargo export figure`");
    }
}

#[test]
fn a_labelled_pair_has_the_paper_s_shapes() {
    let [generator, discriminator] = pair(labelled());
    assert_eq!(
        told(&generator),
        [
            " | 100 ⊕ y → 110",
            "linear to 1024, batch norm, ReLU | 1024 ⊕ y → 1034",
            "linear to 6272, batch norm, ReLU | 6272",
            "reshape | 128 × 7 × 7 ⊕ y → 138",
            "transposed conv 5×5 stride 2 SAME, 128 filters, batch norm, ReLU | 128 × 14 × 14 ⊕ y → 138",
            "transposed conv 5×5 stride 2 SAME, 1 filter, sigmoid | 1 × 28 × 28",
        ]
    );
    assert_eq!(
        told(&discriminator),
        [
            " | 1 × 28 × 28 ⊕ y → 11",
            "conv 5×5 stride 2 SAME, 11 filters, LeakyReLU 0.2 | 11 × 14 × 14 ⊕ y → 21",
            "conv 5×5 stride 2 SAME, 74 filters, batch norm, LeakyReLU 0.2 | 74 × 7 × 7",
            "flatten | 3626 ⊕ y → 3636",
            "linear to 1024, batch norm, LeakyReLU 0.2 | 1024 ⊕ y → 1034",
            "linear to 1 | 1",
        ]
    );
    assert_eq!(generator.about, "7,065,211 trainable parameters");
}

#[test]
fn sizes_that_are_not_square_and_layers_that_keep_them() {
    let network = Network::builder("odd", Shape::Planes { channels: 3, height: 5, width: 8 })
        .relu("first")
        .label("label", 2)
        .batch_norm("norm")
        .conv_same("keeps", 5, 3, 1)
        .tanh("tanh")
        .build()
        .unwrap();
    assert_eq!(
        told(&of_network(&network)),
        [
            "ReLU | 3 × 5 × 8 ⊕ y → 5",
            "batch norm | 5 × 5 × 8",
            "conv 3×3 stride 1 SAME, 5 filters, tanh | 5 × 5 × 8"
        ]
    );
}

#[test]
fn a_file_s_nodes_are_drawn_as_they_are() {
    let file = include_bytes!("../../../models/pretrained/mnist-generator.onnx");
    let strip = of_file(&describe(file, "gen.onnx".as_ref()).unwrap()).unwrap();
    assert_eq!((strip.name.as_str(), strip.about.as_str()), ("generator", "31 nodes, 7,270,821 parameters"));
    assert_eq!(
        told(&strip),
        [
            " | 100",
            "Gemm with label, Relu | 1024",
            "MatMul, Squeeze, Add with label, Relu | 6272",
            "Reshape | 128 × 7 × 7",
            "Conv 2×2, Conv 2×3, Conv 3×2, Conv 3×3, 4 × Add with label, 4 × Relu | 4 of 128 × 7 × 7",
            "Concat | 512 × 7 × 7",
            "DepthToSpace | 128 × 14 × 14",
            "ConvTranspose 6×6, Add with label, Sigmoid | 1 × 28 × 28",
        ]
    );
    let names = [strip.blocks.first(), strip.blocks.last()].map(|block| block.unwrap().name.as_deref());
    assert_eq!(names, [Some("z"), Some("image")]);
}

#[test]
fn nothing_of_a_name_is_markup() {
    let block = |name: &str| Block { name: Some(name.into()), ..Block::new(vec![None, Some(3)]) };
    let mut last = block("y");
    last.operations = vec!["</text><script>\u{1b}&\"\u{ffff}".into(); 13];
    let strip = Strip { name: "<b>".into(), about: String::new(), blocks: vec![block("z"), last] };
    let drawn = svg(&[strip]);
    assert!(
        !drawn.contains("<script") && !drawn.contains('\u{1b}') && !drawn.contains('\u{ffff}'),
        "{drawn}"
    );
    assert!(drawn.contains(">&lt;/text&gt;&lt;script&gt;\\…<") && drawn.contains(">…<"), "{drawn}");
    assert!(drawn.contains("? × 3"), "{drawn}");
}
