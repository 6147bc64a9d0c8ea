//! Blocks as an SVG: text alone, without scripts, fonts or anything of another file.
//!
//! Rows and columns are to scale within a figure. Channels and the features of vectors are on a logarithmic
//! scale: one of 512 would hide the rest.

use std::fmt::Write;

use super::{Block, Strip};

/// Pixels from one line of text to the next.
const LINE: f64 = 15.;
/// At most so wide is a letter on average, in the widest of the fonts.
const LETTER: f64 = 7.;
/// Letters of a line of an operation.
const LETTERS: usize = 17;
/// Lines of operations that are told of one step; those of our own networks have at most five.
const MOST_LINES: usize = 12;
/// The rows or columns of the largest picture, in pixels.
const FACE: f64 = 104.;
/// How much of a picture's columns is seen, from the side.
const SIDE: f64 = 0.3;
/// Width of a vector, in pixels, and height of a label that is appended to one.
const BAR: f64 = 11.;
/// The shortest arrow.
const ARROW: f64 = 30.;
const MARGIN: f64 = 18.;

/// The figure: a row for each network.
pub fn svg(strips: &[Strip]) -> String {
    let largest = strips.iter().flat_map(|strip| &strip.blocks).filter_map(|block| match solid(block, 1.) {
        Solid::Planes { rows, columns, .. } => Some(rows.max(columns)),
        Solid::Vector { .. } => None,
    });
    let scale = FACE / largest.fold(1., f64::max);
    let (mut body, mut width, mut y) = (String::new(), 0_f64, MARGIN);
    for strip in strips {
        let (right, below) = draw(strip, scale, y, &mut body);
        (width, y) = (width.max(right), below + MARGIN);
    }
    let names: Vec<_> = strips.iter().map(|strip| capital(&strip.name)).collect();
    let words: Vec<_> = strips.iter().map(in_words).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {y:.0}\" width=\"{width:.0}\" \
         height=\"{y:.0}\" role=\"img\" aria-labelledby=\"title desc\" \
         font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\" font-size=\"11\" fill=\"#1f2937\" \
         stroke-linejoin=\"round\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n",
        escaped(&names.join(" and ")),
        escaped(&words.join(" ")),
    )
}

/// What a block looks like, in pixels.
enum Solid {
    /// A bar.
    Vector { length: f64 },
    /// A box that is seen from the side.
    Planes { thickness: f64, rows: f64, columns: f64 },
}

impl Solid {
    fn width(&self, label: Option<u64>) -> f64 {
        match self {
            Solid::Vector { .. } => BAR,
            Solid::Planes { thickness: own, columns, .. } => {
                own + label.map_or(0., thickness) + SIDE * columns
            }
        }
    }

    fn height(&self, label: Option<u64>) -> f64 {
        match self {
            Solid::Vector { length } => length + label.map_or(0., |_| BAR),
            Solid::Planes { rows, columns, .. } => rows + SIDE * columns,
        }
    }
}

fn solid(block: &Block, scale: f64) -> Solid {
    // A size that the file leaves open is drawn as the least.
    let size = |size: &Option<u64>| size.unwrap_or(1).max(1) as f64;
    match block.sizes.as_slice() {
        [channels @ .., rows, columns] => Solid::Planes {
            thickness: thickness(channels.iter().map(size).product::<f64>() as u64),
            rows: (size(rows) * scale).max(3.),
            columns: (size(columns) * scale).max(3.),
        },
        features => Solid::Vector { length: 14. + 8.5 * features.iter().map(size).product::<f64>().log2() },
    }
}

fn thickness(channels: u64) -> f64 {
    4. + 4.5 * (channels.max(1) as f64).log2()
}

/// Draws a network below `top`; where it ends on the right and below.
fn draw(strip: &Strip, scale: f64, top: f64, out: &mut String) -> (f64, f64) {
    let solids: Vec<_> = strip.blocks.iter().map(|block| solid(block, scale)).collect();
    let shown = || strip.blocks.iter().zip(&solids);
    let operations: Vec<_> = strip.blocks.iter().map(|block| lines(&block.operations)).collect();
    let captions: Vec<_> = strip.blocks.iter().map(captions).collect();
    let widest = |texts: &[Vec<String>]| texts.iter().flatten().map(|line| length(line)).fold(0., f64::max);
    let most = |texts: &[Vec<String>]| texts.iter().map(Vec::len).max().unwrap_or(0) as f64 * LINE;

    // From the middle of a block to that of the next: no text and no box touches another.
    let boxes = shown().map(|(block, solid)| solid.width(block.label)).fold(0., f64::max);
    let pitch = (boxes + ARROW).max(widest(&operations) + LETTER).max(widest(&captions) + LETTER);
    let half = (boxes / 2.).max(widest(&captions) / 2.);
    let tall = shown().map(|(block, solid)| solid.height(block.label)).fold(0., f64::max);

    let text = top + LINE + 10.;
    let axis = text + most(&operations) + 6. + tall / 2.;
    let below = axis + tall / 2. + LINE;
    let title = format!(
        "<text x=\"{MARGIN:.1}\" y=\"{:.1}\"><tspan font-size=\"14\" font-weight=\"bold\">{}</tspan> \
         <tspan dx=\"6\" fill=\"#4b5563\">{}</tspan></text>\n",
        top + 11.,
        escaped(&capital(&strip.name)),
        escaped(&strip.about)
    );
    out.push_str(&title);
    for (i, (block, solid)) in shown().enumerate() {
        let middle = MARGIN + half + i as f64 * pitch;
        let width = solid.width(block.label);
        if i > 0 {
            let (before, middle) = (strip.blocks[i - 1].label, middle - pitch / 2.);
            let from = middle - pitch / 2. + solids[i - 1].width(before) / 2. + 4.;
            let to = middle + pitch / 2. - width / 2. - 4.;
            let written = text + most(&operations);
            arrow(out, from, to, axis, (middle, written));
            let first = written - (operations[i].len() as f64 - 1.) * LINE - 4.;
            write_lines(out, &operations[i], middle, first, "#1f2937");
        }
        let _ = writeln!(out, "<g stroke=\"#374151\"><title>{}</title>", escaped(&told(block)));
        shape(out, solid, block.label, middle - width / 2., axis);
        out.push_str("</g>\n");
        write_lines(out, &captions[i], middle, below, "#1e3a8a");
    }
    let right = MARGIN + half * 2. + (strip.blocks.len() - 1) as f64 * pitch + MARGIN;
    let title = MARGIN * 2. + 1.4 * length(&strip.name) + length(&strip.about);
    (right.max(title), below + most(&captions))
}

/// The box, and the label's behind it or below it, with its left edge at `x` and its middle at `axis`.
fn shape(out: &mut String, solid: &Solid, label: Option<u64>, x: f64, axis: f64) {
    const OWN: [&str; 3] = ["#bfdbfe", "#dbeafe", "#93c5fd"];
    const LABEL: [&str; 3] = ["#fdba74", "#fed7aa", "#fb923c"];
    let top = axis - solid.height(label) / 2.;
    let mut cuboid = |x: f64, y: f64, size: [f64; 3], [front, upper, side]: [&str; 3]| {
        let [width, height, deep] = size;
        let mut polygon = |fill: &str, corners: [(f64, f64); 4]| {
            let corners = corners.map(|(x, y)| format!("{x:.1},{y:.1}")).join(" ");
            let _ = writeln!(out, "<polygon points=\"{corners}\" fill=\"{fill}\"/>");
        };
        let (right, bottom) = (x + width, y + height);
        polygon(front, [(x, y), (right, y), (right, bottom), (x, bottom)]);
        if deep > 0. {
            polygon(upper, [(x, y), (x + deep, y - deep), (right + deep, y - deep), (right, y)]);
            let far = (right + deep, bottom - deep);
            polygon(side, [(right, y), (right + deep, y - deep), far, (right, bottom)]);
        }
    };
    match *solid {
        Solid::Vector { length } => {
            cuboid(x, top, [BAR, length, 0.], OWN);
            if label.is_some() {
                cuboid(x, top + length, [BAR, BAR, 0.], LABEL);
            }
        }
        Solid::Planes { thickness: own, rows, columns } => {
            let (deep, front) = (SIDE * columns, top + SIDE * columns);
            cuboid(x, front, [own, rows, deep], OWN);
            if let Some(label) = label {
                cuboid(x + own, front, [thickness(label), rows, deep], LABEL);
            }
        }
    }
}

/// An arrow, and a thread from its middle to the text above.
fn arrow(out: &mut String, from: f64, to: f64, y: f64, (middle, text): (f64, f64)) {
    let _ = writeln!(
        out,
        "<path d=\"M{middle:.1} {text:.1}V{y:.1}\" stroke=\"#9ca3af\" stroke-dasharray=\"2 3\" fill=\"none\"/>\n\
         <path d=\"M{from:.1} {y:.1}H{to:.1}m-6 -4l6 4l-6 4\" stroke=\"#374151\" fill=\"none\"/>"
    );
}

fn write_lines(out: &mut String, lines: &[String], middle: f64, first: f64, fill: &str) {
    for (i, line) in lines.iter().enumerate() {
        let y = first + i as f64 * LINE;
        let line = escaped(line);
        let _ = writeln!(
            out,
            "<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"{fill}\">{line}</text>"
        );
    }
}

/// What stands below a block.
fn captions(block: &Block) -> Vec<String> {
    let name = block.name.as_deref().map(|name| cut(&contract::printable(name)));
    name.into_iter().chain([block.describe()]).chain(block.with_label()).collect()
}

/// Operations in lines of few letters, broken between words.
fn lines(operations: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for operation in operations {
        let mut line = String::new();
        for word in contract::printable(operation).split_whitespace().map(cut) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LETTERS {
                lines.push(std::mem::take(&mut line));
            }
            line = if line.is_empty() { word } else { format!("{line} {word}") };
        }
        lines.push(line);
    }
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES - 1);
        lines.push("…".to_string());
    }
    lines
}

/// A word's beginning, if it is long.
fn cut(word: &str) -> String {
    match word.char_indices().nth(LETTERS) {
        None => word.to_string(),
        Some(_) => word.chars().take(LETTERS - 1).chain(['…']).collect(),
    }
}

/// How wide a text is at most, in pixels.
fn length(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// A block and what leads to it, in words.
fn told(block: &Block) -> String {
    let operations = block.operations.join(", ");
    let arrow = if operations.is_empty() { "" } else { ": " };
    let parts = [block.name.clone(), Some(block.describe()), block.with_label()];
    format!("{operations}{arrow}{}", parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// A network in words, for who doesn't see the figure.
fn in_words(strip: &Strip) -> String {
    let blocks: Vec<_> = strip.blocks.iter().map(told).collect();
    format!("{}, {}: {}.", capital(&strip.name), strip.about, blocks.join("; "))
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Text as XML has it. What anyone may have written has no control characters left: XML has none either.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in contract::printable(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            other => safe.push(other),
        }
    }
    safe
}
