//! What a graph's output means: which it is, what black and white are, and which axis is which.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use candle_onnx::onnx::{GraphProto, NodeProto};
use contract::PixelRange;
use serde::Serialize;

use super::{Options, list};
use crate::inspect::Value;

/// Black and white in another program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// 0 to 1.
    ZeroToOne,
    /// −1 to 1.
    MinusOneToOne,
    /// 0 to 255, as bytes or as float32.
    Levels,
}

impl Pixels {
    /// Black and white.
    fn ends(self) -> [f32; 2] {
        match self {
            Pixels::ZeroToOne => [0., 1.],
            Pixels::MinusOneToOne => [-1., 1.],
            Pixels::Levels => [0., 255.],
        }
    }

    /// What the contract calls it: levels are divided by 255.
    pub fn range(self) -> PixelRange {
        match self {
            Pixels::ZeroToOne | Pixels::Levels => PixelRange::ZeroToOne,
            Pixels::MinusOneToOne => PixelRange::MinusOneToOne,
        }
    }
}

/// As on the command line.
impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [black, white] = self.ends();
        write!(f, "{black}..{white}")
    }
}

impl FromStr for Pixels {
    type Err = String;

    fn from_str(text: &str) -> Result<Pixels, String> {
        let all = [Pixels::ZeroToOne, Pixels::MinusOneToOne, Pixels::Levels];
        let found = all.into_iter().find(|pixels| pixels.to_string() == text);
        found.ok_or_else(|| "expected 0..1, -1..1 or 0..255".to_string())
    }
}

/// The order of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// (N, channels, height, width), as PyTorch has it
    Nchw,
    /// (N, height, width, channels), as Keras has it
    Nhwc,
}

/// The output that gives pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its elements' type: `float32` or `uint8`.
    pub element: String,
    /// Black and white, as far as the file says it or it was asked for.
    pub pixels: Option<Pixels>,
}

/// The pictures as they come out of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Black and white.
    pub pixels: Pixels,
    /// Whether they come as bytes.
    pub bytes: bool,
    /// The order of the axes.
    pub layout: Layout,
    /// Channels, height and width.
    pub shape: [usize; 3],
}

impl Output {
    /// Finds it among a graph's outputs.
    ///
    /// # Errors
    /// A sentence, if it isn't clear which it is, it can't be one of pictures, or what was asked for isn't so.
    pub fn find(graph: &GraphProto, options: &Options) -> Result<Output, String> {
        let values: Vec<Value> = graph.output.iter().map(Value::from).collect();
        // An output may be of any rank as long as the file doesn't say.
        let may_be = |value: &&Value| value.dims.as_ref().is_none_or(|dims| dims.len() == 4);
        let output = match &options.image_output {
            Some(name) => values.iter().find(|value| value.name == *name).ok_or_else(|| {
                format!("--image-output {name}: it has no such output, it gives {}", list(&values))
            })?,
            None => match values.iter().filter(may_be).collect::<Vec<_>>().as_slice() {
                [only] => *only,
                [] => {
                    return Err(format!(
                        "it gives {}, and none of it is pictures, [N, channels, height, width] or [N, height, \
                         width, channels]",
                        list(&values)
                    ));
                }
                _ => {
                    return Err(format!(
                        "it gives {}; say which is its pictures with --image-output NAME",
                        list(&values)
                    ));
                }
            },
        };
        if !["float32", "uint8"].contains(&output.element.as_str()) {
            return Err(format!("its output {output} is not float32, and no bytes (uint8)"));
        }
        let found = match output.element.as_str() {
            "uint8" => Some((Pixels::Levels, "it gives bytes")),
            _ => ends_in(graph, &output.name),
        };
        let pixels = match (found, options.pixels) {
            (Some((found, why)), Some(asked)) if found != asked => {
                return Err(format!(
                    "--pixels {asked}: {why}, so its pixels are {found}; leave --pixels out"
                ));
            }
            (Some((found, _)), _) => Some(found),
            (None, asked) => asked,
        };
        Ok(Output { name: output.name.clone(), element: output.element.clone(), pixels })
    }

    /// What is given, in words.
    pub fn describe(&self, picture: &Picture) -> String {
        let Picture { shape: [channels, height, width], pixels, .. } = picture;
        let axes = match picture.layout {
            Layout::Nchw => "channels first",
            Layout::Nhwc => "channels last",
        };
        let kind = if picture.bytes { "bytes" } else { "float32" };
        format!("{}: pictures, {channels} × {height} × {width}, {axes}, {kind} of {pixels}", self.name)
    }
}

/// The pixels that follow from the last function that a graph applies, and what to say of it.
fn ends_in(graph: &GraphProto, output: &str) -> Option<(Pixels, &'static str)> {
    let makers: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)))
        .collect();
    let mut name = output;
    // No further than there are nodes: a damaged file may lead round in circles.
    for _ in 0..=graph.node.len() {
        let node = makers.get(name).filter(|node| node.domain.is_empty())?;
        match node.op_type.as_str() {
            "Sigmoid" => return Some((Pixels::ZeroToOne, "it ends in Sigmoid, which gives 0 to 1")),
            "Tanh" => return Some((Pixels::MinusOneToOne, "it ends in Tanh, which gives -1 to 1")),
            // What moves numbers and changes none.
            "Identity" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Flatten" | "Slice" | "Cast"
            | "DepthToSpace" => name = node.input.first()?,
            _ => return None,
        }
    }
    None
}

impl Picture {
    /// What a run of `batch` images gave.
    ///
    /// # Errors
    /// A sentence, if these are no pictures, or it isn't clear which axis is which.
    pub fn of(
        output: &Output,
        shape: &[i64],
        batch: usize,
        asked: Option<Layout>,
    ) -> Result<Picture, String> {
        let sizes: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        let sizes = sizes.filter(|sizes| sizes.first() == Some(&batch) && !sizes.contains(&0));
        let Some(&[_, a, b, c]) = sizes.as_deref() else {
            return Err(format!(
                "its output {} has the shape {shape:?} for {batch} images, where pictures have four axes",
                output.name
            ));
        };
        let is_colours = |channels: usize| matches!(channels, 1 | 3);
        let [first, last] = [([a, b, c], Layout::Nchw), ([c, a, b], Layout::Nhwc)]
            .map(|(shape, layout)| is_colours(shape[0]).then_some((shape, layout)));
        let (shape, layout) = match (first, last, asked) {
            (Some(first), _, Some(Layout::Nchw)) => first,
            (_, Some(last), Some(Layout::Nhwc)) => last,
            (_, _, Some(_)) => {
                return Err(format!(
                    "--layout: its pictures are {shape:?}, which has no 1 or 3 channels on that axis"
                ));
            }
            (Some(first), None, None) => first,
            (None, Some(last), None) => last,
            (Some(_), Some(_), None) => {
                return Err(format!(
                    "its pictures are {shape:?}, and the channels could be the second axis or the last; say it \
                     with --layout nchw or --layout nhwc"
                ));
            }
            (None, None, None) => {
                return Err(format!(
                    "its pictures are {shape:?}, and neither the second axis nor the last is 1 or 3 channels"
                ));
            }
        };
        let pixels = output.pixels.unwrap_or(Pixels::ZeroToOne);
        Ok(Picture { pixels, bytes: output.element == "uint8", layout, shape })
    }

    /// Whether the graph itself gives whole levels, which rounding may move by one.
    pub fn is_rounded(&self) -> bool {
        self.bytes
    }

    /// What the contract's pictures are: (N, channels, height, width), numbers of its range.
    pub fn of_contract(&self, numbers: &[f32]) -> Vec<f32> {
        let [channels, height, width] = self.shape;
        let size = channels * height * width;
        let at = |index: usize| {
            let (image, place) = (index / size * size, index % size);
            match self.layout {
                Layout::Nchw => numbers[index],
                Layout::Nhwc => {
                    numbers[image + place % (height * width) * channels + place / (height * width)]
                }
            }
        };
        let scaled = |number: f32| if self.pixels == Pixels::Levels { number / 255. } else { number };
        (0..numbers.len() / size * size).map(|index| scaled(at(index))).collect()
    }

    /// A number of the contract's pictures as the file itself gives it.
    pub fn of_original(&self, number: f32) -> f32 {
        if self.pixels == Pixels::Levels { number * 255. } else { number }
    }

    /// Refuses numbers that can't be those that they are said to be.
    ///
    /// # Errors
    /// A sentence with what was drawn.
    pub fn check_range(&self, numbers: &[f32]) -> Result<(), String> {
        let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let largest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let [black, white] = self.pixels.ends();
        // A linear last layer may go a little beyond.
        let beyond = (white - black) / 2.;
        let fits = least >= black - beyond && largest <= white + beyond;
        // All black, and all within one level of it.
        let is_dark = self.pixels == Pixels::Levels && !self.bytes && largest <= 1.;
        match fits && !is_dark {
            true => Ok(()),
            false => Err(format!(
                "--pixels {}: it draws numbers from {least} to {largest}; name what black and white are to it",
                self.pixels
            )),
        }
    }
}
