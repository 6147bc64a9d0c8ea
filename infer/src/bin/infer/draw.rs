//! One picture: which images are on it, and where it goes.

use std::{ops::Range, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use contract::{
    Contract, Picture,
    dataset::manifest::Verification,
    files,
    number::{large, whole},
    print,
    strings::{Bounds, Length, Strings},
    visible,
};
use infer::{
    Error, Generator, Sample,
    cli::{
        self, JSON_OR_PICTURE, LARGEST_SCALE, Preview, Source, check_inputs, check_output, check_pixels,
        write_output,
    },
    find_class,
};
use ndarray::{Array3, Array4, s};

use crate::{
    common::Common,
    report::{self, Drawing, Text, Verified},
    strings::{HEADING, Style, check_classes},
    verification::Verify,
};

/// Few programs open a picture of more images.
const MOST_PICTURES: usize = 10_000;

#[derive(Debug, Args)]
pub struct Draw {
    /// The digit to draw
    #[arg(short, long, value_name = "DIGIT", conflicts_with = "all", allow_negative_numbers = true)]
    digit: Option<String>,
    /// The class to draw, by its name, of a model of any things
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["digit", "all"])]
    label: Option<String>,
    /// Draw every class, one column each
    #[arg(long)]
    all: bool,
    /// Draw a number, or any classes whose names are one character, as one strip
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["digit", "label", "all"])]
    digits: Option<String>,
    /// Draw --digits as `infer dataset --strings` draws strings, which the options of a string imply
    #[arg(long, help_heading = HEADING, requires = "digits")]
    joined: bool,
    #[command(flatten)]
    style: Style,
    /// How many pictures: of one class in a near-square grid, of all classes and of numbers in rows
    #[arg(short = 'n', long, value_name = "K", default_value = "1")]
    #[arg(value_parser = whole::<1, MOST_PICTURES>, allow_negative_numbers = true)]
    count: usize,
    /// Seed of the pictures; without it another one each time, which is printed
    #[arg(short, long, value_parser = large::<0>, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Index of the first image: image i of a seed is always the same
    #[arg(short, long, value_name = "I", default_value_t = 0)]
    #[arg(value_parser = large::<0>, allow_negative_numbers = true)]
    index: u64,
    /// The PNG file to write, or - for standard output [default: digit-<DIGIT>.png, <NAME>.png or
    /// <NUMBER>.png; for --all digits.png or classes.png]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the class beneath each image
    #[arg(long)]
    captions: bool,
    /// Enlarge the picture: each pixel becomes a square of so many a side
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = whole::<1, LARGEST_SCALE>, allow_negative_numbers = true)]
    scale: usize,
    /// How to show the picture
    #[arg(long, value_enum, default_value_t)]
    preview: Preview,
    #[command(flatten)]
    verify: Verify,
    #[command(flatten)]
    common: Common,
}

/// Draws what was asked for into one picture.
pub fn draw(request: &Draw) -> Result<()> {
    let common = &request.common;
    let to_stdout = request.out.as_deref().is_some_and(files::is_stdout);
    if to_stdout && common.running.json {
        bail!(Error::BadInput(JSON_OR_PICTURE.into()));
    }
    if let Some(out) = &request.out {
        check_output(out, &["png"])?;
    }
    let source = common.source();
    let contract = source.contract()?;
    let layout = request.layout(&source.name(), &contract)?;
    let out = match &request.out {
        Some(out) => out.clone(),
        None => layout.default_file(&contract),
    };
    check_output(&out, &["png"])?;
    if !to_stdout {
        let library = common.running.runtime.as_deref();
        check_inputs(
            &out,
            [("model", source.path()), ("judge", request.verify.path()), ("library", library)],
        )?;
    }
    let seed = cli::seed(request.seed);

    let options = common.options(layout.samples.len());
    let verification = request.verify.request()?;
    let mut generator = Generator::load(&source, &options)?;
    let verifier = request.verify.load(&generator, &options)?;
    let (images, verified) = match verifier.zip(verification) {
        None => (generator.samples(seed, &layout.samples)?, None),
        Some((mut verifier, mut verification)) => {
            let (images, kept) = verifier.samples(&mut generator, seed, &layout.samples)?;
            verification.add(kept.redrawn(), kept.redraws());
            (images, Some(Verified { verification, confidences: kept.confidences }))
        }
    };
    let (picture, strings) = match &layout.strings {
        Some(strings) => request.strings(strings, &layout, seed, &images)?,
        None => (request.picture(&layout, &contract, &images)?, Vec::new()),
    };
    let texts = request.texts(&layout, &contract, seed, verified.as_ref().map(|it| &it.verification));
    if to_stdout {
        if let Some(Verified { verification, confidences }) = verified.filter(|_| !common.running.quiet) {
            eprintln!("{}", verification.of(confidences.len() as u64));
        }
        return Ok(print(&picture.to_png(&texts)?)?);
    }
    write_output(&out, |sink| picture.encode_png(sink, &texts))?;

    let mut said = Source::new(&source, &generator, &common.running);
    if request.captions {
        said.notes.extend(Picture::captions_note(&layout.captions(&contract)));
    }
    let drawing = Drawing {
        noun: contract.noun(),
        file: out.display().to_string(),
        classes: &layout.classes,
        count: layout.samples.len(),
        seed,
        rows: layout.samples.len().div_ceil(layout.columns),
        columns: layout.columns,
        width: picture.width(),
        height: picture.height(),
        strings,
        verified,
        source: said,
    };
    common.print(&drawing, || format!("{}{drawing}", request.preview.of(&picture)))
}

impl Draw {
    /// Which images this asks a model of this name for.
    pub fn layout(&self, model: &str, contract: &Contract) -> Result<Layout> {
        let count = self.count;
        if let Some(option) = self.class_option().filter(|_| !contract.is_labelled()) {
            bail!(Error::BadInput(format!(
                "model {model} draws {}, so nothing is to be named; leave out {option}",
                contract.describe_classes()
            )));
        }
        let joining = self.style.given().or(self.joined.then_some("--joined"));
        if let Some(option) = joining.filter(|_| self.digits.is_none()) {
            bail!(Error::BadInput(format!("{option} is for strings; say with --digits which one")));
        }
        if let Some(option) = joining.filter(|_| self.captions) {
            bail!(Error::BadInput(format!(
                "--captions stand beneath images of one width, and {option} joins them; leave one of them out"
            )));
        }
        if let Some(number) = &self.digits {
            return Layout::number(number, self, model, contract);
        }
        let indices = self.indices(count)?;
        if self.all {
            // A row has one index: the same latents, seen as each class.
            let labels = 0..contract.classes.len() as i64;
            return Ok(Layout {
                samples: indices
                    .flat_map(|index| labels.clone().map(move |label| Sample { index, label }))
                    .collect(),
                columns: contract.classes.len(),
                classes: contract.classes.clone(),
                strings: None,
            });
        }
        let asked = match (&self.digit, &self.label) {
            (Some(name), _) => Some(("--digit", name)),
            (None, name) => name.as_ref().map(|name| ("--label", name)),
        };
        let (label, classes) = match asked {
            None if !contract.is_labelled() => (0, Vec::new()),
            None => bail!(Error::BadInput(format!(
                "nothing to draw was named: model {model} draws {}; name one with --{}, or use --all",
                contract.describe_classes(),
                if contract.noun() == "digit" { "digit" } else { "label" }
            ))),
            Some((option, name)) => (find_class(contract, option, name, model)?, vec![name.clone()]),
        };
        Ok(Layout {
            samples: indices.map(|index| Sample { index, label }).collect(),
            columns: Picture::near_square(count),
            classes,
            strings: None,
        })
    }

    /// The seed that was asked for.
    #[cfg(feature = "serve")]
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// How sure a judge must be of each image.
    #[cfg(feature = "serve")]
    pub fn threshold(&self) -> Option<f64> {
        self.verify.threshold()
    }

    /// The indices of so many images.
    fn indices(&self, count: usize) -> Result<Range<u64>> {
        let Some(end) = self.index.checked_add(count as u64) else {
            bail!(Error::BadInput(format!(
                "{count} images from --index {} on are more than {} in all; name a smaller one",
                self.index,
                u64::MAX
            )));
        };
        Ok(self.index..end)
    }

    /// Lays the layout's images out as they were asked for.
    pub fn picture(&self, layout: &Layout, contract: &Contract, images: &Array4<u8>) -> Result<Picture> {
        let (count, _, height, width) = images.dim();
        let [columns, rows] = [layout.columns, count.div_ceil(layout.columns.max(1))];
        check_pixels([columns * width * self.scale, rows * height * self.scale], 1)?;
        let picture = match self.captions {
            true => Picture::captioned_grid(images, layout.columns, &layout.captions(contract)),
            false => Picture::grid(images, layout.columns),
        };
        Ok(if self.scale == 1 { picture } else { picture.enlarged(self.scale) })
    }

    /// The strings of a layout, one beneath the other, and where their characters are.
    fn strings(
        &self,
        strings: &Strings,
        layout: &Layout,
        seed: u64,
        images: &Array4<u8>,
    ) -> Result<(Picture, Vec<Text>)> {
        let (_, channels, height, width) = images.dim();
        let bad = |sentence: String| Error::BadInput(sentence);
        let [_, tall, _] = strings.frame([channels, height, width]).map_err(bad)?;
        let pixels = images.as_standard_layout();
        let row = layout.columns * channels * height * width;
        let rows = pixels.as_slice().unwrap_or_default().chunks_exact(row.max(1));
        let composed = rows
            .zip(self.index..)
            .map(|(row, index)| strings.compose((seed, index), row, [channels, height, width]).map_err(bad))
            .collect::<Result<Vec<_>, _>>()?;
        let wide = composed.iter().map(|one| one.shape[2]).max().unwrap_or_default();
        check_pixels([wide * self.scale, composed.len() * tall * self.scale], 1)?;
        let mut all = Array4::zeros((composed.len(), channels, tall, wide));
        let mut texts = Vec::new();
        for (row, (one, mut place)) in composed.into_iter().zip(all.outer_iter_mut()).enumerate() {
            let [_, _, own] = one.shape;
            let pixels = Array3::from_shape_vec((channels, tall, own), one.pixels)?;
            place.slice_mut(s![.., .., ..own]).assign(&pixels);
            let scaled = |bounds: Bounds| {
                let Bounds { x, y, width, height } = bounds;
                [x, y + row * tall, width, height].map(|side| side * self.scale)
            };
            let text = layout.classes.concat();
            texts.push(Text { text, boxes: one.boxes.into_iter().map(scaled).collect() });
        }
        let picture = Picture::grid(&all, 1);
        Ok((if self.scale == 1 { picture } else { picture.enlarged(self.scale) }, texts))
    }

    /// What the file says of itself: what it takes to draw the picture again.
    pub fn texts(
        &self,
        layout: &Layout,
        contract: &Contract,
        seed: u64,
        verified: Option<&Verification>,
    ) -> Vec<(&'static str, String)> {
        let mut texts = vec![
            ("Software", format!("edgegan infer {}", env!("CARGO_PKG_VERSION"))),
            ("Model", format!("{} {}", contract.architecture, contract.dataset)),
            ("Seed", seed.to_string()),
            ("Classes", report::list(contract.noun(), &layout.classes)),
        ];
        if let Some(strings) = &layout.strings {
            texts.push(("Strings", strings.to_string()));
        }
        if self.index > 0 {
            texts.push(("Index", self.index.to_string()));
        }
        if let Some(verification) = verified {
            texts.push(("Judge", format!("{}, {}", verification.judge, verification.threshold)));
        }
        texts
    }

    /// The option that says what to draw, if one does.
    fn class_option(&self) -> Option<String> {
        let named = [("--digit", &self.digit), ("--label", &self.label), ("--digits", &self.digits)];
        let named = named.into_iter().find_map(|(option, name)| Some(format!("{option} {}", name.as_ref()?)));
        named.or(self.all.then(|| "--all".to_string()))
    }
}

/// Which images to draw, and how many to a row.
pub struct Layout {
    pub samples: Vec<Sample>,
    columns: usize,
    classes: Vec<String>,
    /// How the images of a row become one, if they do.
    strings: Option<Strings>,
}

impl Layout {
    /// A number, drawn again for each row; every character has an index of its own.
    fn number(number: &str, request: &Draw, model: &str, contract: &Contract) -> Result<Self> {
        let rows = request.count;
        let classes: Vec<String> = number.chars().map(String::from).collect();
        let columns = classes.len();
        if !(1..=MOST_PICTURES).contains(&(columns * rows)) {
            bail!(Error::BadInput(format!(
                "--digits {number:?} in {rows} rows is {} pictures; expected 1 to {MOST_PICTURES}",
                columns * rows
            )));
        }
        let label = |name: &String| {
            contract.label(name).ok_or_else(|| Error::UnknownClass {
                asked: format!("{} of --digits {number}", visible(name)),
                model: model.into(),
                classes: contract.describe_classes(),
                nearest: None,
            })
        };
        let labels = classes.iter().map(label).collect::<Result<Vec<_>, _>>()?;
        let classes = vec![number.into()];
        if !(request.joined || request.style.given().is_some()) {
            let samples = (labels.iter().cycle().zip(request.indices(columns * rows)?))
                .map(|(&label, index)| Sample { index, label })
                .collect();
            return Ok(Self { samples, columns, classes, strings: None });
        }
        check_classes(contract, model).map_err(|error| Error::BadInput(error.to_string()))?;
        let length = columns as u64;
        let strings = request.style.strings(Length { least: length, most: length });
        let strings = strings.map_err(|error| Error::BadInput(error.to_string()))?;
        let samples = (request.indices(rows)?)
            .flat_map(|row| labels.iter().zip(0..).map(move |(label, j)| (row, *label, j)))
            .map(|(row, label, j)| Sample { index: strings.image(row, j), label })
            .collect();
        Ok(Self { samples, columns, classes, strings: Some(strings) })
    }

    /// The class of each image.
    fn captions(&self, contract: &Contract) -> Vec<String> {
        let class = |sample: &Sample| contract.classes.get(sample.label as usize).cloned();
        self.samples.iter().map(|sample| class(sample).unwrap_or_default()).collect()
    }

    fn default_file(&self, contract: &Contract) -> PathBuf {
        // A class may have any name; a file may not, and no two classes share one.
        let safe = |name: &str| files::file_name(name, char::is_alphanumeric);
        let of_class = |name: &str| {
            let names = files::distinct_names(&contract.classes, char::is_alphanumeric);
            contract.label(name).and_then(|label| names.into_iter().nth(label as usize))
        };
        match (self.classes.as_slice(), contract.noun()) {
            ([class], noun) => match (of_class(class), noun) {
                (Some(name), "digit") => format!("digit-{name}.png").into(),
                (Some(name), _) => format!("{name}.png").into(),
                // A strip.
                (None, _) => format!("{}.png", safe(class)).into(),
            },
            ([], _) if contract.dataset.is_empty() => "pictures.png".into(),
            ([], _) => format!("{}.png", safe(&contract.dataset)).into(),
            (_, "digit") => "digits.png".into(),
            _ => "classes.png".into(),
        }
    }
}
